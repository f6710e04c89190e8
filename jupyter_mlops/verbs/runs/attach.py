"""`%mlops attach RUN`: in a kernel, the variables of a run as they stood before the cell where it ended."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import InputError
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import MAGIC, Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", help="its number (default: the newest that did not complete)")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.runs.resume import unfinished

    live = context.live
    if live is None:
        raise InputError("Runs can be attached only in a kernel.", "In a notebook: %mlops attach RUN")
    with open_project(context) as store:
        run = unfinished(store, None) if arguments.run is None else store.runs.get(arguments.run)
    names, lost = live.attach(run)
    data = {"run": run.number, "names": names, "lost": lost}
    return View(data, lambda: _show(data))


def _show(data: dict[str, Any]) -> RenderableType:
    from rich.markup import escape

    there = [name for name in data["names"] if name not in data["lost"]]
    lines = [
        f"Run {data['run']}: {escape(', '.join(there))} restored as they were."
        if there
        else f"Run {data['run']} has no variables to restore."
    ]
    lines += [
        f"[yellow]{escape(name)}[/] will be recomputed by its step when a cell reads it: {escape(why)}."
        for name, why in data["lost"].items()
    ]
    return "\n".join(lines)


VERB = Verb("attach", "bring the variables of a failed run into this kernel", _configure, _run, (MAGIC,))
