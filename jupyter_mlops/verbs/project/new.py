"""`jupyter mlops new TEMPLATE FOLDER`: a project from a template."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.operations.project.templates import NewProject, new_project
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "template", metavar="TEMPLATE", help="the template's name; `jupyter mlops templates` lists them"
    )
    parser.add_argument("folder", metavar="FOLDER", help="where to create the project: a new or empty folder")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    project = new_project(arguments.template, context.start / Path(arguments.folder).expanduser())
    return View(data=project, show=lambda: _show(project, context))


def _show(project: NewProject, context: Context) -> RenderableType:
    from rich.markup import escape

    try:
        folder = project.folder.relative_to(context.start)
    except ValueError:
        folder = project.folder
    notebook = project.notebook.name
    return (
        f"Made [bold]{escape(str(folder))}[/] from the template {escape(project.template)}.\n"
        f"  work on it   [cyan]cd {escape(shlex.quote(str(folder)))} && jupyter lab {escape(notebook)}[/]\n"
        f"  run it       [cyan]jupyter mlops run {escape(shlex.quote(str(folder / notebook)))}[/]"
    )


VERB = Verb(
    name="new",
    help="create a project from a template",
    configure=_configure,
    run=_run,
    surfaces=(CLI,),
)
