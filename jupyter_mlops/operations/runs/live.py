"""`run` in a live kernel: the notebook's cells as they are saved, in order, with what they need from above."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jupyter_mlops.analysis.pipeline.cells import StepCell, all_steps_of, match_step
from jupyter_mlops.analysis.pipeline.span import needed, span
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.plan import ALL
from jupyter_mlops.domain.run import Run
from jupyter_mlops.errors import CellFailedError, NotebookError
from jupyter_mlops.operations.steps.plan import working


@dataclass(frozen=True)
class Ended:
    """How a cell ended: "executed", "reused" or "failed", after how many seconds; `error` in one line."""

    state: str
    duration: float
    error: str = ""


class Live(Protocol):
    """The kernel that a magic is called in, as far as verbs need it."""

    capture_all: bool
    """Whether cells that no one named are steps too."""

    @property
    def run_id(self) -> str | None:
        """The run that the kernel's steps belong to; None before its first."""

    def captured(self) -> Mapping[str, str]:
        """The names that are bound to a recorded value, each with the step or cell that made it."""

    @property
    def namespace(self) -> dict[str, Any]:
        """The kernel's names, as its cells see them."""

    def names(self) -> Iterable[str]:
        """The names that stand in the kernel, loaded or not."""

    def next_cell(self, code: str) -> None:
        """Put a new cell below the one that runs."""

    def bind(self, values: Mapping[str, Any]) -> None:
        """Bind names to values, as a cell would."""

    def attach(self, run: Run) -> tuple[list[str], dict[str, str]]:
        """Bring what a run had made into the kernel: the names, and those that were not stored: name → why."""

    def execute(self, step: StepCell, *, force: bool) -> Ended:
        """Run a cell as if it were run by hand; its outputs are shown. With `force` nothing of it is reused."""


def run_steps(
    live: Live,
    cells: Sequence[Cell],
    *,
    start: str | None = None,
    until: str | None = None,
    force: str | None = None,
    on_end: Callable[[StepCell, Ended], None],
) -> int:
    """Run from step `start` to step `until`; returns how many cells it were.

    Cells above `start` run only where they make something that is needed and not there. `force` is a step that is not
    reused, or `ALL`. Raises `NotebookError` before anything runs where steps are named or asked for wrongly,
    `UnknownNameError`, `InputError` where `until` is above `start`, or `CellFailedError` at the first cell that fails.
    """
    steps, problems = all_steps_of(working(cells))
    if problems:
        raise NotebookError(problems[0].message, problems[0].hint, cell_id=problems[0].cell_id)
    names = [step.spec.name for step in steps]
    first, last = span(names, start, until)
    forced = names[first:last] if force == ALL else [] if force is None else [match_step(force, names)]
    chosen = [*needed(steps, first, last, live.names()), *steps[first:last]]
    for step in chosen:
        ended = live.execute(step, force=step.spec.name in forced)
        on_end(step, ended)
        if ended.state == "failed":
            raise CellFailedError(
                f"Step '{step.spec.name}' failed: {ended.error}",
                f"Fix the cell and save the notebook, then: %mlops run --from {step.spec.name}",
            )
    return len(chosen)
