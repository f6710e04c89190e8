"""`deps STEP`: what it reads from where, and what reads it, as a small tree."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.domain.step_spec import is_cell
from jupyter_mlops.operations.steps.dependencies import Dependencies, Use, dependencies
from jupyter_mlops.verbs.framework.target import add_notebook, notebook_project, read_cells
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.tree import Tree


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", help="the step's name, or the beginning of it")
    add_notebook(parser)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    path, cells = read_cells(arguments.notebook, context)
    with notebook_project(path) as (store, notebook):
        found = dependencies(store, notebook, cells, arguments.step)
    return View(found, lambda: _show(found))


def _show(dependencies: Dependencies) -> RenderableType:
    from rich.markup import escape
    from rich.tree import Tree

    from jupyter_mlops.verbs.framework.tables import ago

    head = f"[bold]{escape(dependencies.step)}[/]"
    if dependencies.run is None:
        head += "  [dim]never ran: this is what its code says[/]"
    elif dependencies.edited:
        head += f"  [yellow]its code changed since v{dependencies.run.version} ran[/]"
        head += f" [dim]{ago(dependencies.run.ended_at)}[/]"
    else:
        head += f"  [dim]v{dependencies.run.version}, ran {ago(dependencies.run.ended_at)}[/]"
    tree = Tree(head, guide_style="dim")
    _branch(tree, "reads", [_read(use) for use in dependencies.reads])
    _branch(tree, "read by", [_reader(use) for use in dependencies.readers])
    others = {
        "files": dependencies.files,
        "writes files": dependencies.written,
        "project modules": dependencies.modules,
        "imports": dependencies.imports,
        "library options": dependencies.libraries,
        "effects": dependencies.effects,
        "environment variables": dependencies.environment,
        "random generators": dependencies.random,
    }
    for title, names in others.items():
        _branch(tree, title, [escape(name) for name in names])
    if not tree.children:
        tree.add("[dim]depends on nothing but its code[/]")
    return tree


def _branch(tree: Tree, title: str, lines: list[str]) -> None:
    if lines:
        branch = tree.add(f"[dim]{title}[/]")
        for line in lines:
            branch.add(line)


def _read(use: Use) -> str:
    from rich.markup import escape

    source = f"from [cyan]{escape(_maker(use.source))}[/]" if use.source else "[dim]from no step above[/]"
    digest = f"  [dim]{escape(_short(use.digest))}[/]" if use.digest else ""
    return f"{escape(use.name)}  {source}{digest}{_note(use)}"


def _reader(use: Use) -> str:
    from rich.markup import escape

    return f"[cyan]{escape(use.target)}[/]  {escape(use.name)}{_note(use)}"


def _note(use: Use) -> str:
    return f"  [yellow]({use.note})[/]" if use.note else ""


def _maker(source: str) -> str:
    return "a cell that no longer exists" if is_cell(source) else source


def _short(digest: str) -> str:
    """A digest's first places, without the name of its algorithm."""
    return digest.rpartition(":")[2][:8]


VERB = Verb("deps", "what a step reads, from which step, and what reads it", _configure, _run)
