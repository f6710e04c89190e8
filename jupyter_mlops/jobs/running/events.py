"""What a running job tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jupyter_mlops.domain.run import Run

RUN_STARTED = "run_started"
CELL_STARTED = "cell_started"
CELL_ENDED = "cell_ended"
WARNING = "warning"
RUN_ENDED = "run_ended"


@dataclass(frozen=True)
class RunEvent:
    """One thing that happened.

    `run` is there when a run starts and ends. `label` names the cell: its step, else its first line. `state` of an
    ended cell is executed, reused or failed. `message` and `hint` belong to warnings.
    """

    kind: str
    run: Run | None = None
    cell_index: int | None = None
    cells_done: int = 0
    cells_total: int = 0
    step: str | None = None
    label: str = ""
    state: str = ""
    duration: float | None = None
    message: str = ""
    hint: str = ""


OnEvent = Callable[[RunEvent], None]
