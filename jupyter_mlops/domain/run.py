"""A Run: one execution of a pipeline, which is one MLflow run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jupyter_mlops.domain.status import Status


@dataclass(frozen=True)
class RunError:
    """Why a run did not complete: which cell (index from 0 in the executed notebook), which exception or cause."""

    cause: str
    """cell_error | kernel_died | canceled | runner_lost | not_started"""
    message: str
    cell_index: int | None = None
    step: str | None = None
    ename: str = ""
    evalue: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a running Run is: code cells finished of all, and the step that runs now."""

    cells_done: int = 0
    cells_total: int = 0
    step: str | None = None


@dataclass(frozen=True)
class Run:
    """One execution of a pipeline.

    `kind` is "job" (papermill), "session" (a live kernel) or "schedule" (a job made by a schedule). `notebook` is the
    path relative to the project, with forward slashes. `notebook_object` names the notebook's bytes in the store as
    they were when the run was asked for. `environment` names the recorded environment's object.
    """

    id: str
    number: int
    kind: str
    notebook: str
    status: Status
    parameters: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    notebook_object: str | None = None
    environment: str | None = None
    output_path: str | None = None
    error: RunError | None = None
    progress: Progress = field(default_factory=Progress)
    schedule_id: str | None = None
    mlflow_run_id: str | None = None
    steps_executed: int = 0
    steps_reused: int = 0
    pid: int | None = None
    pid_started: float | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def duration(self) -> float | None:
        """Seconds from start to end; None while it has not both."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()
