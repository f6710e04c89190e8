"""`plan`: what would run, what would be reused, what is not known yet, and how long it should take."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jupyter_mlops.domain.plan import REUSE, RUN, SKIP, Forecast
from jupyter_mlops.domain.reason_text import sentence
from jupyter_mlops.operations.steps import plan as operation
from jupyter_mlops.operations.steps.plan import RunPlan
from jupyter_mlops.verbs.framework.target import add_force, add_notebook, notebook_project, read_cells
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType

_WORDS = {RUN: "[yellow]run[/]", REUSE: "[green]reuse[/]", SKIP: "[dim]skip[/]"}


def add_span(parser: argparse.ArgumentParser) -> None:
    """The options `--from`, `--until` and `--force`."""
    parser.add_argument("--from", dest="start", metavar="STEP", help="the first step")
    parser.add_argument("--until", metavar="STEP", help="the last step")
    add_force(parser)


def _configure(parser: argparse.ArgumentParser) -> None:
    add_span(parser)
    parser.add_argument("--all", action="store_true", help="show every unnamed cell, including reused ones")
    add_notebook(parser)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    path, cells = read_cells(arguments.notebook, context)
    with notebook_project(path) as (store, notebook):
        plan = operation.pipeline_plan(
            store, notebook, cells, start=arguments.start, until=arguments.until, force=arguments.force
        )
    return View(plan, lambda: _show(plan, everything=arguments.all))


def _show(plan: RunPlan, *, everything: bool) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import seconds, step_name, table

    if not plan.steps:
        return f"{escape(plan.notebook)} has no code yet."
    made = table("step", "would", "about>", "because")
    for step, folded in _rows(plan.steps, everything=everything):
        if folded:
            made.add_row(f"[dim]{folded} unnamed cells[/]", _WORDS[REUSE], "", "[dim]nothing they depend on changed[/]")
            continue
        made.add_row(
            step_name(step.name, step.label),
            _WORDS.get(step.decision, "[blue]not known yet[/]"),
            "" if step.decision == REUSE else seconds(step.seconds),
            escape(sentence(step.reason)) if step.decision != REUSE else f"[dim]{escape(sentence(step.reason))}[/]",
        )
    return Group(made, "", _closing(plan))


def _rows(steps: tuple[Forecast, ...], *, everything: bool) -> Iterator[tuple[Forecast, int]]:
    """The steps to show; several unnamed ones in a row that are reused are one, with their number."""
    if everything or not any(step.named for step in steps):
        yield from ((step, 0) for step in steps)
        return
    quiet: list[Forecast] = []
    for step in (*steps, None):
        if step is not None and not step.named and step.decision == REUSE:
            quiet.append(step)
            continue
        if quiet:
            yield quiet[0], len(quiet) if len(quiet) > 1 else 0
            quiet = []
        if step is not None:
            yield step, 0


def _closing(plan: RunPlan) -> str:
    total = len(plan.steps)
    text = f"{plan.running} of {total} step{'s' * (total != 1)} would run"
    if plan.seconds:
        text += f", about {_time(plan.seconds)}"
    if plan.untimed:
        text += f"{' and' if plan.seconds else ','} {plan.untimed} whose time is not known"
    if plan.unknown:
        text += f"; {plan.unknown} more may"
        text += f", up to {_time(plan.uncertain)}" if plan.uncertain else ""
    if plan.reused and plan.saved:
        text += (
            f" ({plan.reused} reused step{'s' * (plan.reused != 1)} save{'s' * (plan.reused == 1)} {_time(plan.saved)})"
        )
    return text + "."


def _time(value: float) -> str:
    """A time to wait, such as `1 min 10 s`."""
    from jupyter_mlops.verbs.framework.tables import seconds

    if value < 60:
        return seconds(value)
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


VERB = Verb("plan", "what would run, what would be reused, and how long it should take", _configure, _run)
