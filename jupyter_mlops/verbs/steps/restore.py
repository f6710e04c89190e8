"""`restore STEP V`: the code of an earlier version, as a new cell, as text or in a file; and its values in a kernel."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.domain.step import StepVersion
from jupyter_mlops.errors import InputError
from jupyter_mlops.operations.steps.restore import code_of, find_version, values_of
from jupyter_mlops.store.files.atomic import write_atomically
from jupyter_mlops.verbs.framework.target import notebook_of, open_project
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", help="the step's name, or the beginning of it")
    parser.add_argument("version", metavar="V", help="the version, such as 1 or v1")
    parser.add_argument("--values", action="store_true", help="in a notebook: also restore the version's results")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the code to this file")
    parser.add_argument("--notebook", help="the notebook, if several have a step with this name")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    live = context.live
    if arguments.values and live is None:
        raise InputError("Values can be restored only in a kernel.", "In the notebook: %mlops restore STEP V --values")
    values = {}
    with open_project(context) as store:
        notebook = notebook_of(store, arguments.notebook, context, arguments.step)
        wanted = find_version(store, arguments.step, arguments.version, notebook)
        if arguments.values and live is not None:
            values = values_of(store, wanted, live.namespace)
    code = code_of(wanted.version)
    output = None if arguments.output is None else context.start / Path(arguments.output).expanduser()
    if output is not None:
        write_atomically(output, [f"{code}\n".encode()])
    elif live is not None and not arguments.json:
        live.next_cell(code)
    if live is not None and values:
        live.bind(values)
    data = {"version": wanted.version, "code": code, "file": output, "values": sorted(values)}
    shown = live is not None and output is None
    return View(data, lambda: _show(wanted.version, code, output, sorted(values), as_cell=shown))


def _show(version: StepVersion, code: str, output: Path | None, values: list[str], *, as_cell: bool) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import Verbatim, ago

    name = f"{escape(version.step)} v{version.number}"
    lines: list[RenderableType] = []
    if output is not None:
        lines.append(f"{name} is in {escape(str(output))}.")
    elif as_cell:
        lines.append(f"{name} [dim]of {ago(version.created_at)}[/] is in the cell below.")
    else:
        return Verbatim(code)
    if values:
        lines.append(f"Restored {escape(', '.join(values))}.")
    return Group(*lines)


VERB = Verb("restore", "bring back the code of an earlier version of a step", _configure, _run)
