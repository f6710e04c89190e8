"""`run NOTEBOOK`: execute a notebook as a job, and see its steps go by."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from jupyter_mlops.analysis.notebook import all_steps_of, cells_of, match_step
from jupyter_mlops.capture.session import FORCE_VARIABLE
from jupyter_mlops.domain.run import Run
from jupyter_mlops.errors import RunError
from jupyter_mlops.operations.plan import ALL
from jupyter_mlops.store.notebooks import read_notebook
from jupyter_mlops.verbs import tables
from jupyter_mlops.verbs.verb import CLI, Context, Verb, View

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from jupyter_mlops.verbs.run_progress import RunProgress

EXCERPT_LINES = 12


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", help="the notebook's file")
    add_parameters(parser)
    parser.add_argument(
        "-o", "--output", help="the executed notebook's file; runs/NOTEBOOK-NUMBER.ipynb where left out"
    )
    parser.add_argument("--kernel", help="the kernel to use, in place of the notebook's own")
    parser.add_argument(
        "--force", nargs="?", const=ALL, metavar="STEP", help="run this step, or all of them, whatever could be reused"
    )


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """The option `-p NAME VALUE`."""
    parser.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set a parameter that the cell tagged 'parameters' declares; may be given several times",
    )


def _run(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.run import read_parameters, run_notebook

    notebook = context.start / arguments.notebook
    output = context.start / arguments.output if arguments.output else None
    parameters = read_parameters(notebook, [(name, value) for name, value in arguments.parameter])
    try:
        with forced(notebook, arguments.force), progress(context.console) as on_event:
            run = run_notebook(notebook, parameters, output, kernel=arguments.kernel, on_event=on_event)
    except RunError as error:
        ended, failed = error.details.get("run"), error
        if not isinstance(ended, Run):
            raise
        return View(ended, lambda: failure(ended, failed), error.exit_code)
    return View(run, lambda: summary(run))


@contextmanager
def forced(notebook: Path, step: str | None) -> Iterator[None]:
    """While a job starts: its kernel is told by the environment which step it may not reuse."""
    if step is None:
        yield
        return
    names = [item.spec.name for item in all_steps_of(cells_of(read_notebook(notebook)))[0]]
    before = os.environ.get(FORCE_VARIABLE)
    os.environ[FORCE_VARIABLE] = ALL if step == ALL else match_step(step, names)
    try:
        yield
    finally:
        os.environ.pop(FORCE_VARIABLE)
        if before is not None:
            os.environ[FORCE_VARIABLE] = before


def progress(console: Console) -> RunProgress:
    """Shows the events of a run as they come; a context that gives what to call with them."""
    from jupyter_mlops.verbs.run_progress import RunProgress

    return RunProgress(console)


def summary(run: Run) -> RenderableType:
    """How a run ended, in a few lines."""
    from rich.console import Group

    reused, executed = run.steps_reused, run.steps_executed
    lines = [f"[bold]Run {run.number}[/] {tables.state(run.status)} in {tables.seconds(run.duration)}"]
    if reused or executed:
        lines[0] += f": {_counted(executed, 'step')} executed, {reused} reused"
    if run.parameters:
        lines.append(f"  parameters  {tables.pairs(run.parameters)}")
    if run.metrics:
        lines.append(f"  metrics     {tables.pairs(run.metrics)}")
    if run.output_path:
        lines.append(f"  output      {escape(run.output_path)}")
    return Group(*lines)


def failure(run: Run, error: RunError) -> RenderableType:
    """Where and why a run failed, and what to do."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[Any] = [summary(run), "", f"[bold red]Error:[/] {escape(error.message)}"]
    source = str(error.details.get("source") or "")
    if source.strip():
        parts.append(Padding(Text(_excerpt(source), style="dim"), (0, 0, 0, 2), expand=False))
    traceback = "\n".join(error.details.get("traceback") or ())
    if traceback:
        parts.append(Padding(Text.from_ansi(traceback), (0, 0, 0, 2), expand=False))
    if error.hint:
        parts.append(f"[bold]Hint:[/] {escape(error.hint)}")
    return Group(*parts)


def _excerpt(source: str) -> str:
    lines = source.splitlines()
    if len(lines) <= EXCERPT_LINES:
        return source
    return "\n".join([*lines[:EXCERPT_LINES], f"... ({len(lines) - EXCERPT_LINES} more lines)"])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


VERB = Verb("run", "run a notebook as a job through papermill", _configure, _run, (CLI,))


def notebook_path(named: str, context: Context) -> Path:
    """The notebook's file, from a name relative to where the verb is called."""
    return context.start / named
