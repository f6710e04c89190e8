"""`open RUN`: a notebook at the cell where a run failed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jupyter_mlops.operations.runs.open import Opened


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", help="its number (default: the newest that did not complete)")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.runs.open import open_run
    from jupyter_mlops.operations.runs.resume import unfinished

    with open_project(context) as store:
        run = unfinished(store, None) if arguments.run is None else store.runs.get(arguments.run)
        opened = open_run(store, run)
    return View(opened, lambda: _show(opened))


def _show(opened: Opened) -> RenderableType:
    from rich.markup import escape

    number, path = opened.run.number, escape(str(opened.path))
    return (
        f"Run {number} is in [bold]{path}[/], its variables behind cell {opened.cell_index + 1} (%mlops attach {number}).\n"
        f"Open it: jupyter lab {path}\n"
        f"When it is mended: jupyter mlops resume {number} --with-edit"
    )


VERB = Verb("open", "make a notebook that opens at the cell where a run failed", _configure, _run)
