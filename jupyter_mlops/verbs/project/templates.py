"""`jupyter mlops templates`: the project skeletons there are."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.operations.project.templates import Template, list_templates
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View, no_arguments

if TYPE_CHECKING:
    from rich.console import RenderableType


def _run(arguments: argparse.Namespace, context: Context) -> View:
    templates = list_templates()
    return View(data=templates, show=lambda: _show(templates))


def _show(templates: list[Template]) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import table

    if not templates:
        return "There are no templates: the package is not installed completely. Install it again."
    made = table("template", "description")
    for template in templates:
        made.add_row(template.name, f"[bold]{escape(template.title)}[/]\n{escape(template.description)}")
    return Group(made, "\n`jupyter mlops new TEMPLATE FOLDER` creates a project from one.")


VERB = Verb(
    name="templates",
    help="list the available templates",
    configure=no_arguments,
    run=_run,
    surfaces=(CLI,),
)
