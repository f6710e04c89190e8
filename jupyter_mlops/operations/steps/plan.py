"""`plan`: what would become of each step if the notebook ran now, and how long it should take. Reads only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jupyter_mlops.analysis.pipeline.cells import match_step
from jupyter_mlops.analysis.pipeline.span import span
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.lines import lines_of
from jupyter_mlops.domain.plan import ALL, REUSE, RUN, UNKNOWN, Forecast
from jupyter_mlops.domain.reason import Reason, ReasonCode

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

_OURS = re.compile(r"%mlops\b|%(re|un)?load_ext\s+jupyter_mlops\b")


@dataclass(frozen=True)
class RunPlan:
    """The steps that a run would come to, in order.

    `seconds` is what those that would run are expected to take, `uncertain` those of which it is not known yet,
    `saved` what the reused ones took when they were computed; `untimed` counts those to be run that never ended before.
    """

    notebook: str
    steps: tuple[Forecast, ...]
    running: int = 0
    reused: int = 0
    unknown: int = 0
    seconds: float = 0.0
    uncertain: float = 0.0
    saved: float = 0.0
    untimed: int = 0


def forecast(store: Store | None, notebook: str, cells: Sequence[Cell]) -> tuple[Forecast, ...]:
    """What capture would decide of each step."""
    from jupyter_mlops.capture import forecast as capture

    return capture.forecast(store, notebook, working(cells))


def working(cells: Sequence[Cell]) -> list[Cell]:
    """The cells without those that hold nothing but `%mlops` lines: they steer this extension, and are no steps."""
    return [cell for cell in cells if not _steers(cell)]


def _steers(cell: Cell) -> bool:
    if cell.kind != "code":
        return False
    lines = (line.strip() for line in lines_of(cell.source))
    told = (bool(_OURS.match(line)) for line in lines if line and not line.startswith("#"))
    return next(told, False) and all(told)


def pipeline_plan(
    store: Store | None,
    notebook: str,
    cells: Sequence[Cell],
    *,
    start: str | None = None,
    until: str | None = None,
    force: str | None = None,
) -> RunPlan:
    """The plan of a run of `cells`, from step `start` to step `until`; `force` is a step that runs anyway, or `ALL`.

    `notebook` is the path as the index names it; `store` None where nothing ever ran. Raises `UnknownNameError`,
    or `InputError` where `until` is above `start`.
    """
    steps = forecast(store, notebook, cells)
    names = [step.name for step in steps]
    first, last = span(names, start, until)
    if force is not None:
        steps = forced(steps, names if force == ALL else [match_step(force, names)])
    return _summed(store, notebook, steps[first:last])


def forced(steps: Sequence[Forecast], names: Sequence[str]) -> tuple[Forecast, ...]:
    """The same plan, where the steps `names` run anyway: what would be reused after them depends on what they give."""
    made: list[Forecast] = []
    open_ones: dict[str, str] = {}
    for step in steps:
        cause = next((open_ones[maker] for maker in step.inputs.values() if maker in open_ones), "")
        if step.name in names and step.decision != RUN:
            step, cause = replace(step, decision=RUN, reason=Reason(ReasonCode.FORCED), source=None), step.name
        elif cause and step.decision == REUSE:
            step = replace(step, decision=UNKNOWN, reason=Reason(ReasonCode.DEPENDS, cause))
        if cause or step.name in names:
            open_ones[step.name] = step.name if step.decision == RUN else cause
        made.append(step)
    return tuple(made)


def _summed(store: Store | None, notebook: str, steps: Sequence[Forecast]) -> RunPlan:
    by = {decision: [step for step in steps if step.decision == decision] for decision in (RUN, REUSE, UNKNOWN)}
    return RunPlan(
        notebook,
        tuple(steps),
        running=len(by[RUN]),
        reused=len(by[REUSE]),
        unknown=len(by[UNKNOWN]),
        seconds=sum(step.seconds or 0.0 for step in by[RUN]),
        uncertain=sum(step.seconds or 0.0 for step in by[UNKNOWN]),
        saved=sum(_computing(store, step.source) for step in by[REUSE]),
        untimed=sum(step.seconds is None for step in by[RUN]),
    )


def _computing(store: Store | None, source: str | None) -> float:
    """How long the step run that would be reused took when it was computed."""
    return 0.0 if store is None or source is None else store.steps.run(source).duration or 0.0
