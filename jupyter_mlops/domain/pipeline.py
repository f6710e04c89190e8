"""A Pipeline: the steps of a notebook and the edges between them, with the state of each as the notebook stands now."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from jupyter_mlops.domain.brief import LeftOut
from jupyter_mlops.domain.cell import Problem
from jupyter_mlops.domain.parameter import Parameter
from jupyter_mlops.domain.status import StepState


@dataclass(frozen=True)
class StepStatus:
    """A step in pipeline order: its state, the reason in one line, and its figures.

    `label` is what people know it by: its name, or the first line of code of a cell that no one named (`named` is
    False). `here` says that the kernel (or run) in view executed or reused it, and that the figures are its own; else
    `run_number` is the run whose result is there for it, if any. Of a reuse `duration` is the time that the restoration
    took, and `computed` what computing the result had taken. `always` says that it runs whatever else holds, for the reason
    given. `left_out` tells what is not there of its metrics.
    """

    name: str
    cell_id: str
    cell_index: int
    state: StepState
    reason: str
    upstream: tuple[str, ...] = ()
    version: int | None = None
    reused: bool = False
    duration: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    ended_at: datetime | None = None
    run_number: int | None = None
    label: str = ""
    computed: float | None = None
    named: bool = True
    here: bool = False
    always: bool = False
    left_out: dict[str, LeftOut] = field(default_factory=dict)


@dataclass(frozen=True)
class PipelineStatus:
    """All that the panel shows of the open notebook.

    Its steps are those of what is `in_view`: "kernel", the one that works with it; "record" where there is none; "run"
    for a notebook that a run left behind, of which `run_number` is the number and `source` the notebook that was run.
    `captured` says that cells which no one named are steps here, too; `hidden` is how many of them are left out.
    """

    notebook: str
    steps: tuple[StepStatus, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[Problem, ...] = ()
    in_view: str = "record"
    run_number: int | None = None
    source: str | None = None
    captured: bool = False
    hidden: int = 0
