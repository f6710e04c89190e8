"""`%mlops run`: the notebook's steps as they are saved, in order, in this kernel."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.errors import InputError
from jupyter_mlops.operations.runs.live import Ended, run_steps
from jupyter_mlops.verbs.framework.target import add_notebook, read_cells
from jupyter_mlops.verbs.framework.verb import MAGIC, Context, Verb, View
from jupyter_mlops.verbs.steps.plan import add_span

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    add_span(parser)
    add_notebook(parser)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    live = context.live
    if live is None:
        raise InputError("There is no kernel to run steps in.", "On the command line: jupyter mlops run NOTEBOOK")
    _, cells = read_cells(arguments.notebook, context)
    ended: list[dict[str, Any]] = []

    def on_end(step: StepCell, end: Ended) -> None:
        ended.append({"step": step.spec.name, "named": step.spec.named, "state": end.state, "duration": end.duration})
        if not arguments.json and end.state != "reused":  # of a reuse the kernel has told
            context.console.print(_line(step, end), highlight=False, soft_wrap=True)

    run_steps(live, cells, start=arguments.start, until=arguments.until, force=arguments.force, on_end=on_end)
    return View(ended, lambda: _show(ended))


def _line(step: StepCell, end: Ended) -> str:
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import seconds, state

    name = step.spec.name if len(step.spec.name) <= 44 else step.spec.name[:43] + "…"
    shown = f"[bold]{escape(name)}[/]" if step.spec.named else f"[dim]{escape(name)}[/]"
    return f"{shown}{' ' * (46 - len(name))}{state(end.state)}{' ' * (10 - len(end.state))}{seconds(end.duration):>9}"


def _show(ended: list[dict[str, Any]]) -> RenderableType:
    from jupyter_mlops.verbs.framework.tables import seconds

    reused = sum(item["state"] == "reused" for item in ended)
    total = seconds(sum(item["duration"] for item in ended))
    return f"{len(ended)} cell{'s' * (len(ended) != 1)} in {total}: {len(ended) - reused} executed, {reused} reused."


VERB = Verb("run", "run the notebook's steps in this kernel, in order", _configure, _run, (MAGIC,))
