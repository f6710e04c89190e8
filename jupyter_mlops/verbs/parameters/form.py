"""`form [NOTEBOOK]`: a notebook's parameters. The kernel shows them as a form of widgets; this is the list of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.analysis.parameters.declared import parameters_of
from jupyter_mlops.analysis.pipeline.cells import cells_of
from jupyter_mlops.domain.parameter import Parameter
from jupyter_mlops.store.files.notebooks import read_notebook
from jupyter_mlops.verbs.framework.target import notebook_file
from jupyter_mlops.verbs.framework.verb import MAGIC, Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", nargs="?", help="the notebook (default: the live one, or the folder's only one)")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    parameters = parameters_of(cells_of(read_notebook(notebook_file(arguments.notebook, context))))
    return View(parameters, lambda: _show(parameters))


def _show(parameters: tuple[Parameter, ...]) -> RenderableType:
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import table

    if not parameters:
        return "The notebook has no parameters. Tag the cell that sets them with `parameters`."
    made = table("parameter", "type", "default", "description")
    for item in parameters:
        made.add_row(item.name, escape(item.type), escape(item.default_source), escape(item.help))
    return made


VERB = Verb("form", "a form for the notebook's parameters that starts a job", _configure, _run, (MAGIC,))
