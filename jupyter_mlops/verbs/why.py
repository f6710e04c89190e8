"""`why STEP`: its state now and the reason, and why its newest runs were executed or reused."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.domain.pipeline import StepStatus
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.verbs.project import open_project
from jupyter_mlops.verbs.status import notebook_status
from jupyter_mlops.verbs.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", help="the step's name")
    parser.add_argument("--notebook", help="the notebook (default: the live one, or the folder's only one)")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    try:
        steps = notebook_status(arguments.notebook, context).steps
    except InputError:
        if arguments.notebook is not None:
            raise
        steps = ()  # no notebook is named: the record alone answers
    now = next((step for step in steps if step.name == arguments.step), None)
    with open_project(context) as store:
        runs = store.steps.runs(step=arguments.step, limit=3)
        if not runs and now is None:
            raise UnknownNameError.among("step", arguments.step, [*store.steps.names(), *(step.name for step in steps)])
    return View({"now": now, "runs": runs}, lambda: _show(now, runs))


def _show(now: StepStatus | None, runs: list[StepRun]) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.tables import ago, state

    lines: list[RenderableType] = []
    if now is not None:
        lines.append(f"{now.name} is {state(now.state)}" + (f": {escape(now.reason)}" if now.reason else ""))
    for run in runs:
        did = "was reused" if run.reused_from else "ran"
        lines.append(f"  {ago(run.ended_at or run.started_at)}: {did} (v{run.version}), because {escape(run.why)}")
        if run.unrepeatable:
            lines.append(f"    its result is not reused, because it {escape(run.unrepeatable)}")
        if run.error:
            lines.append(f"    [red]{escape(run.error.splitlines()[0])}[/]")
    return Group(*lines)


VERB = Verb("why", "why a step ran, or would run, or was reused", _configure, _run)
