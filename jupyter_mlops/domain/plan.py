"""A Forecast: what would become of a step if the notebook ran now, from the top, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyter_mlops.domain.reason import Reason

REUSE = "reuse"
RUN = "run"
UNKNOWN = "unknown"
SKIP = "skip"
ALL = "*"
"""Every step, where one step's name is expected."""


@dataclass(frozen=True)
class Forecast:
    """One step's part of a plan.

    `decision` is "reuse", "run", or "unknown" where it depends on what an earlier step that runs will give, or
    "skip".
    `seconds` is what it is expected to take: its last computing duration for "run" and "unknown", 0 for "reuse", None
    where it never ran. `inputs` maps each name it reads to the step that makes it ("" where that is not known).
    `source` is the id of the StepRun that would be reused, `repeats` of one that did, on the same, what the step will
    do again. `label` is what people know it by: its name, or the first line of code of a cell that no one named.
    """

    name: str
    cell_id: str
    cell_index: int
    named: bool
    decision: str
    reason: Reason
    seconds: float | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    source: str | None = None
    repeats: str | None = None
    label: str = ""
