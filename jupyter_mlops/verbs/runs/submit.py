"""`submit NOTEBOOK`: put a run into the queue, for a worker to execute."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from jupyter_mlops.domain.run import Run, RunOptions
from jupyter_mlops.errors import InputError
from jupyter_mlops.verbs.framework import tables
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View
from jupyter_mlops.verbs.runs.run import (
    add_limits,
    add_notify,
    add_output,
    add_parameters,
    add_steps,
    asked_parameters,
    notebook_path,
    options_of,
)

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", help="the notebook's file")
    add_parameters(parser)
    add_output(parser)
    parser.add_argument("--kernel", help="the kernel to use instead of the notebook's own")
    parser.add_argument("--priority", type=int, default=0, help="higher goes first (default 0)")
    parser.add_argument(
        "--max-at-once", type=_count, metavar="N", help="wait while this many runs of the notebook are being executed"
    )
    parser.add_argument(
        "--attempts",
        type=_count_or_none,
        default=RunOptions.attempts,
        metavar="N",
        help="how many times to try it if its worker dies (default 3)",
    )
    parser.add_argument(
        "--id",
        metavar="NAME",
        help="your own name for the run: submitting it again under the same name makes no second run",
    )
    add_steps(parser)
    add_limits(parser)
    add_notify(parser)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 10**6):
        raise InputError(f"'{text}' is not a number of 1 or more.", "Write it as 2.")
    return int(text)


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.store.files.notebooks import read_notebook

    notebook = notebook_path(arguments.notebook, context)
    read_notebook(notebook)
    parameters = asked_parameters(arguments, notebook, context)
    from jupyter_mlops.operations.runs.submit import submit
    from jupyter_mlops.store.store import Store

    output = str((context.start / arguments.output).absolute()) if arguments.output else None
    options = replace(
        options_of(arguments), output=output, most_at_once=arguments.max_at_once, attempts=arguments.attempts
    )
    with Store.open(notebook) as store:
        run = submit(
            store,
            notebook,
            parameters,
            kernel=arguments.kernel,
            options=options,
            priority=arguments.priority,
            name=arguments.id,
        )
    return View(run, lambda: _show(run))


def _show(run: Run) -> RenderableType:
    from rich.markup import escape

    return (
        f"[bold]Run {run.number}[/] of {escape(run.notebook)} is {tables.state(run.status)}.\n"
        f"  follow it   [cyan]jupyter mlops jobs logs -f {run.number}[/]\n"
        f"  stop it     [cyan]jupyter mlops jobs cancel {run.number}[/]"
    )


VERB = Verb("submit", "put a run of a notebook into the queue", _configure, _run, (CLI,))
