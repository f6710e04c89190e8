"""`params [NOTEBOOK]`: the notebook's parameters, and with `-p`, `-f` and the environment the values it would run with."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.operations.parameters.values import (
    DEFAULT,
    MISSING,
    ParameterValue,
    list_parameters,
    unused_variables,
)
from jupyter_mlops.verbs.framework import tables
from jupyter_mlops.verbs.framework.target import notebook_file
from jupyter_mlops.verbs.framework.verb import Context, Verb, View
from jupyter_mlops.verbs.runs.run import add_parameters, asked_parameters

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", nargs="?", help="the notebook (default: the live one, or the folder's only one)")
    add_parameters(parser)
    parser.add_argument("--json-schema", action="store_true", help="print a JSON Schema of the parameters")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    notebook = notebook_file(arguments.notebook, context)
    values = list_parameters(notebook, asked_parameters(arguments, notebook, context))
    if arguments.json_schema:
        from jupyter_mlops.analysis.parameters.schema import json_schema

        schema = json_schema(values, notebook.name)
        return View(schema, lambda: tables.Verbatim(dumps(schema, indent=2, ensure_ascii=False)))
    unused = unused_variables(notebook, os.environ)
    return View(values, lambda: _show(values, unused))


def _show(values: list[ParameterValue], unused: list[str]) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    if not values:
        return "The notebook has no parameters. Tag the cell that sets them with `parameters`."
    asked = any(value.source not in (DEFAULT, MISSING) for value in values)
    made = tables.table("name", "type", "default", *(("value", "from") if asked else ()), "allowed", "help")
    for item in values:
        default = "[yellow]required[/]" if item.required else escape(tables.short(item.default_source))
        shown = [] if not asked else [_value(item), _source(item)]
        allowed = item.range or " | ".join(str(choice) for choice in item.choices)
        made.add_row(
            item.name,
            escape(item.type),
            default,
            *shown,
            escape(tables.short(allowed)),
            escape(tables.short(item.help)),
        )
    notes = [f"[yellow]{escape(name)} is not a parameter of this notebook.[/]" for name in unused]
    return Group(made, *notes)


def _value(item: ParameterValue) -> str:
    from rich.markup import escape

    if item.source == MISSING:
        return ""
    return escape(tables.short(item.default_source if item.source == DEFAULT else repr(item.value)))


def _source(item: ParameterValue) -> str:
    from rich.markup import escape

    if item.source == MISSING:
        return "[yellow]missing[/]"
    return f"[dim]{item.source}[/]" if item.source == DEFAULT else f"[bold]{escape(item.source)}[/]"


VERB = Verb(
    "params", "the notebook's parameters: types, defaults, ranges; and the values a run would have", _configure, _run
)
