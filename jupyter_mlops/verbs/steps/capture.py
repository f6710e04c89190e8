"""`%mlops capture on | off | status`: whether cells that no one named are steps too in this kernel."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from jupyter_mlops.domain.step_spec import is_cell
from jupyter_mlops.errors import InputError
from jupyter_mlops.verbs.framework.verb import MAGIC, Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType

WORDS = ("on", "off", "status")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=WORDS, default="status", help="on, off or status (default: status)")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    live = context.live
    if live is None:
        raise InputError("Capture works only in a kernel.", "Use %mlops capture in a notebook.")
    if arguments.what != "status":
        live.capture_all = arguments.what == "on"
    every, names = live.capture_all, dict(live.captured())
    return View({"all": every, "names": names}, lambda: _show(names, every=every))


def _show(names: Mapping[str, str], *, every: bool) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import table

    head = (
        "Every cell is a step."
        if every
        else "Only cells with a %%step line or a step tag are steps. To make every cell a step: %mlops capture on"
    )
    if not names:
        return f"{head} Nothing is recorded in this kernel yet."
    made = table("name", "made by")
    for name, maker in sorted(names.items()):
        made.add_row(escape(name), "[dim]a cell that is not a step[/]" if is_cell(maker) else escape(maker))
    return Group(head, "", made)


VERB = Verb("capture", "make every cell a step: on, off, status", _configure, _run, (MAGIC,))
