"""Parts of a notebook: from one step to another, and what they need from above."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.analysis.code.side_effects import CONFIGURES
from jupyter_mlops.analysis.pipeline.cells import StepCell, match_step
from jupyter_mlops.analysis.pipeline.links import edges
from jupyter_mlops.errors import InputError


def span(names: Sequence[str], start: str | None, until: str | None) -> tuple[int, int]:
    """The places from step `start` to step `until`, as a slice's. Raises `InputError` where one is unknown
    or they are crossed."""
    first = 0 if start is None else names.index(match_step(start, names))
    last = len(names) if until is None else names.index(match_step(until, names)) + 1
    if first >= last and names:
        raise InputError(f"Step '{until}' comes before step '{start}' in the notebook.", "Swap the two, or omit one.")
    return first, last


def needed(steps: Sequence[StepCell], first: int, last: int, there: Iterable[str] = ()) -> list[StepCell]:
    """The steps above place `first` that make what those up to `last` read and is not `there`, in order."""
    planned, have = edges(steps), set(there)
    wanted = set(range(first, last))
    for place in range(last - 1, -1, -1):
        if place in wanted:
            missing = (makers for name, makers in planned.sources(place).items() if name not in have)
            wanted.update(maker for makers in missing for maker in makers)
    return [steps[place] for place in sorted(wanted) if place < first]


def sets_something(step: StepCell) -> bool:
    """Whether a step may change what later ones give without binding a name: options, seeds, magics, attributes."""
    try:
        doubts = cell_facts(step.code).doubts
    except (SyntaxError, ValueError):
        return True
    calls = doubts.chains | doubts.calls
    return bool(doubts.stores or doubts.magics) or any(CONFIGURES.match(chain.rpartition(".")[2]) for chain in calls)


def whole_span(steps: Sequence[StepCell], first: int, last: int) -> list[StepCell]:
    """What a fresh kernel must run so that the steps from `first` to `last` find what they need."""
    above = {step.cell.index for step in needed(steps, first, last)}
    chosen = [step for step in steps[:first] if step.cell.index in above or sets_something(step)]
    makers = {place.cell.index for step in chosen for place in needed(steps, steps.index(step), steps.index(step) + 1)}
    kept = {step.cell.index for step in chosen} | makers
    return [step for step in steps[:first] if step.cell.index in kept] + list(steps[first:last])
