"""`run NOTEBOOK`: execute a notebook as a job, and see its steps go by."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from jupyter_mlops.analysis.pipeline.step_options import parse_duration
from jupyter_mlops.domain.brief import IN_DETAIL
from jupyter_mlops.domain.counted import counted
from jupyter_mlops.domain.parameter import Asked
from jupyter_mlops.domain.run import Run, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, RunError, beginning
from jupyter_mlops.verbs.framework import tables
from jupyter_mlops.verbs.framework.target import add_force
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View
from jupyter_mlops.verbs.store.store import read_size

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from jupyter_mlops.verbs.runs.run_progress import RunProgress

EXCERPT_LINES = 12
TRACEBACK = 20_000
"""Characters of a traceback that a terminal shows; the executed notebook has it whole."""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", help="the notebook's file")
    add_parameters(parser)
    add_output(parser)
    parser.add_argument("--kernel", help="the kernel to use instead of the notebook's own")
    add_steps(parser)
    add_limits(parser)
    add_notify(parser)


def add_output(parser: argparse.ArgumentParser) -> None:
    """The option `-o FILE`."""
    parser.add_argument(
        "-o",
        "--output",
        type=_file_here,
        metavar="FILE",
        help="the executed notebook's file (default: runs/NOTEBOOK-NUMBER.ipynb)",
    )


def _file_here(text: str) -> str:
    if "://" in text:
        raise InputError(
            f"'{text}' is not a file on this machine.",
            "Give a local file, or have papermill write elsewhere: papermill --engine mlops NOTEBOOK " + text,
        )
    return text


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """The options `-p NAME VALUE` and `-f FILE`."""
    parser.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set a parameter that the cell tagged 'parameters' declares; can be repeated",
    )
    parser.add_argument(
        "-f",
        "--parameters-file",
        action="append",
        default=[],
        metavar="FILE",
        help="set parameters from a YAML, JSON or TOML file; can be repeated, the last one wins",
    )


def asked_parameters(arguments: argparse.Namespace, notebook: Path, context: Context) -> Asked:
    """The values that `-p`, `-f` and the environment ask for, in this order of precedence."""
    from jupyter_mlops.operations.parameters.values import read_parameters

    files = [context.start / name for name in arguments.parameters_file]
    return read_parameters(notebook, [(name, text) for name, text in arguments.parameter], files, os.environ)


def add_steps(parser: argparse.ArgumentParser) -> None:
    """The options that name steps: `--from`, `--until`, `--only` and `--force`."""
    parser.add_argument(
        "--from", dest="first", metavar="STEP", help="start at this step, and run what it needs from above"
    )
    parser.add_argument("--until", dest="last", metavar="STEP", help="stop after this step")
    parser.add_argument("--only", metavar="STEP", help="execute this step, and what it needs from above")
    add_force(parser)


def add_limits(parser: argparse.ArgumentParser) -> None:
    """The options that bound a run: its time, each cell's, and its kernel's memory."""
    parser.add_argument(
        "--run-timeout",
        type=partial(parse_duration, option="--run-timeout"),
        metavar="TIME",
        help="how long the run may take, such as 90s or 2h",
    )
    parser.add_argument(
        "--step-timeout",
        type=partial(parse_duration, option="--step-timeout"),
        metavar="TIME",
        help="how long one cell may take",
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="execute independent steps in up to N kernels at once"
    )
    parser.add_argument(
        "--memory", type=read_size, metavar="SIZE", help="how much memory the kernel may use, such as 4G"
    )
    parser.add_argument(
        "--kernel-mode",
        choices=("auto", "warm", "ordinary"),
        default="auto",
        help="a kernel forked from a live worker's warm process, an ordinary one, or whichever is possible (default)",
    )


def add_notify(parser: argparse.ArgumentParser) -> None:
    """The option `--notify`."""
    parser.add_argument(
        "--notify",
        action="append",
        default=[],
        metavar="[EVENTS=]TARGET",
        help="tell a target of mlops.toml, a URL, mailto:ADDRESS or command:WORDS how the run ended; EVENTS are failure, "
        "recovery, success (default failure,recovery)",
    )


def options_of(arguments: argparse.Namespace) -> RunOptions:
    """What these options ask for."""
    return RunOptions(
        force=arguments.force,
        first=arguments.first,
        last=arguments.last,
        only=arguments.only,
        run_seconds=arguments.run_timeout,
        cell_seconds=arguments.step_timeout,
        memory=arguments.memory,
        workers=arguments.workers,
        kernel=arguments.kernel_mode,
        notify=tuple(getattr(arguments, "notify", ())),
    )


def _run(arguments: argparse.Namespace, context: Context) -> View:
    notebook = context.start / arguments.notebook
    output = context.start / arguments.output if arguments.output else None
    parameters = asked_parameters(arguments, notebook, context)
    # What does not fit is told before all that executes is loaded.
    from jupyter_mlops.operations.runs.run import run_notebook

    try:
        with progress(context.console) as on_event:
            run = run_notebook(
                notebook,
                parameters,
                output,
                kernel=arguments.kernel,
                on_event=on_event,
                options=options_of(arguments),
            )
    except RunError as error:
        return failed_view(error)
    return View(run, lambda: summary(run))


def failed_view(error: RunError) -> View:
    """How a run ended that did not complete. Raises `error` again where there was none."""
    ended = error.details.get("run")
    if not isinstance(ended, Run):
        raise error
    return View(ended, lambda: failure(ended, error), error.exit_code)


def progress(console: Console) -> RunProgress:
    """Shows the events of a run as they come; a context that gives what to call with them."""
    from jupyter_mlops.verbs.runs.run_progress import RunProgress

    return RunProgress(console)


def summary(run: Run) -> RenderableType:
    """How a run ended, in a few lines."""
    from rich.console import Group

    reused, executed = run.steps_reused, run.steps_executed
    lines = [f"[bold]Run {run.number}[/] {tables.state(run.status)} in {tables.seconds(run.duration)}"]
    if reused or executed:
        lines[0] += f": {counted(executed, 'step')} executed, {reused} reused"
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

    word = "" if run.status is Status.CANCELED else "[bold red]Error:[/] "  # that someone stopped it is no error
    parts: list[Any] = [summary(run), "", f"{word}{escape(error.message)}"]
    source = str(error.details.get("source") or "")
    if source.strip():
        parts.append(
            Padding(Text(beginning(_excerpt(source), IN_DETAIL.text), style="dim"), (0, 0, 0, 2), expand=False)
        )
    traceback = beginning("\n".join(error.details.get("traceback") or ()), TRACEBACK)
    if traceback:
        parts.append(Padding(Text.from_ansi(traceback), (0, 0, 0, 2), expand=False))
    if error.hint:
        parts.append(f"[bold]Hint:[/] {escape(error.hint)}")
    number = run.number
    parts.append(f"[dim]Investigate:[/] jupyter mlops open {number}[dim] · continue:[/] jupyter mlops resume {number}")
    return Group(*parts)


def _excerpt(source: str) -> str:
    lines = source.splitlines()
    if len(lines) <= EXCERPT_LINES:
        return source
    return "\n".join([*lines[:EXCERPT_LINES], f"... ({len(lines) - EXCERPT_LINES} more lines)"])


VERB = Verb("run", "run a notebook as a job through papermill", _configure, _run, (CLI,))


def notebook_path(named: str, context: Context) -> Path:
    """The notebook's file, from a name relative to where the verb is called."""
    return context.start / named
