"""`graph`: the pipeline as SVG, in the notebook or in a file."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from jupyter_mlops.operations.steps.graph import Graph, pipeline_graph
from jupyter_mlops.store.files.atomic import write_atomically
from jupyter_mlops.verbs.framework.target import add_notebook, notebook_project, read_cells, view_of
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="the SVG file (default on the command line: NOTEBOOK.graph.svg)"
    )
    themes = parser.add_mutually_exclusive_group()
    themes.add_argument("--dark", action="store_true", help="always use dark colours (default: match the surroundings)")
    themes.add_argument("--light", action="store_true", help="always use light colours")
    parser.add_argument("--all", action="store_true", help="also draw unnamed cells that have no links")
    add_notebook(parser)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    path, cells = read_cells(arguments.notebook, context)
    with notebook_project(path) as (store, notebook):
        graph = pipeline_graph(store, notebook, cells, everything=arguments.all, view=view_of(context, path))
    if not graph.nodes:
        return View({"graph": graph, "file": None}, lambda: "The notebook has no steps yet.")
    output = _output(arguments, context, path)
    from jupyter_mlops.verbs.steps.graph_svg import as_bundle, draw

    svg = draw(graph, "dark" if arguments.dark else "light" if arguments.light else "auto")
    if output is not None:
        write_atomically(output, [svg.encode("utf-8")])
    text = _told(graph, output, context)
    bundle = None if output is not None else lambda: as_bundle(svg, text)
    return View({"graph": graph, "file": output}, lambda: text, bundle=bundle)


def _output(arguments: argparse.Namespace, context: Context, notebook: Path) -> Path | None:
    """Where the file goes; None where the notebook shows the picture itself, or JSON alone is asked for."""
    if arguments.output is not None:
        return context.start / Path(arguments.output).expanduser()
    if context.surface != CLI or arguments.json:
        return None
    return notebook.with_name(f"{notebook.stem}.graph.svg")


def _told(graph: Graph, output: Path | None, context: Context) -> str:
    from rich.markup import escape

    told = f"{len(graph.nodes)} steps, {len(graph.links)} links"
    if output is None:
        return f"{escape(graph.notebook)}: {told}"
    relative = os.path.relpath(output, context.start)
    return f"{escape(str(output) if relative.startswith('..') else relative)}  [dim]{told}[/]"


VERB = Verb("graph", "draw the pipeline", _configure, _run)
