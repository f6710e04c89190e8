"""A Run: one execution of a pipeline, which is one MLflow run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from jupyter_mlops.domain.brief import LeftOut
from jupyter_mlops.domain.status import Status


class RunKind(str, Enum):
    """What a run is: asked for as a job (papermill, the queue), made by a schedule, or a live kernel's session."""

    JOB = "job"
    SESSION = "session"
    SCHEDULE = "schedule"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class RunFailure:
    """Why a run did not complete: which cell (index from 0 in the executed notebook), which exception or cause."""

    cause: str
    """cell_error | step_timeout | run_timeout | kernel_died | out_of_memory | canceled | interrupted | runner_lost |
    not_started | not_saved"""
    message: str
    cell_index: int | None = None
    step: str | None = None
    ename: str = ""
    evalue: str = ""
    signal: str = ""
    """The signal that ended a kernel's process, such as SIGKILL."""
    exit_code: int | None = None


@dataclass(frozen=True)
class RunOptions:
    """How a run is to be executed, fixed when it is asked for.

    `given` are the parameters that were asked for, in JSON form by their declared types, and `sources` says where each
    came from ("-p", a file's name, an environment variable's ...). `force` is a step to execute whatever could be
    reused, "*" all. `first`, `last` and `only` name steps. Times are in seconds, `memory` in bytes.
    `kernel` is "auto", "warm" or "ordinary". `attempts` says how often a run whose worker vanished is taken up anew.
    `modules` are the project-local modules: path relative to the project → object name. `notify` are targets.
    `one_at_a_time`: it waits while another run of its schedule is at work.
    """

    given: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    output: str | None = None
    force: str | None = None
    first: str | None = None
    last: str | None = None
    only: str | None = None
    run_seconds: float | None = None
    cell_seconds: float | None = None
    memory: int | None = None
    workers: int = 1
    kernel: str = "auto"
    attempts: int = 3
    most_at_once: int | None = None
    modules: dict[str, str] = field(default_factory=dict)
    notify: tuple[str, ...] = ()
    one_at_a_time: bool = False


class CauseKind(str, Enum):
    """Why a schedule made a run: its time had come, someone asked, or what a trigger waits for."""

    TIME = "time"
    MANUAL = "manual"
    FILE = "file"
    RUN = "run"
    ROWS = "rows"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class RunCause:
    """Why a schedule made a run: `at` is the fire time in ISO 8601, `detail` what else is known of it.

    `key` names the cause among those of its schedule; "" where the fire time does.
    """

    kind: CauseKind = CauseKind.TIME
    at: str = ""
    key: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrackedAt:
    """Where MLflow is told of a run, fixed when it is made; an empty text leaves it to the project.

    `uri` is the tracking store, `experiment` the experiment's name, `experiment_id` its id where one was chosen so.
    """

    uri: str = ""
    experiment: str = ""
    experiment_id: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a running Run is: code cells finished of all, and the step that runs now."""

    cells_done: int = 0
    cells_total: int = 0
    step: str | None = None


@dataclass(frozen=True)
class Run:
    """One execution of a pipeline.

    `notebook` is the path relative to the project, with forward slashes. `notebook_object` names the notebook's bytes in
    the store as they were when the run was asked for. `environment` names the recorded environment's object.
    """

    id: str
    number: int
    kind: RunKind
    notebook: str
    status: Status
    parameters: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    """For people and for MLflow: nothing is decided by them."""
    notebook_object: str | None = None
    environment: str | None = None
    output_path: str | None = None
    error: RunFailure | None = None
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
    options: RunOptions = field(default_factory=RunOptions)
    priority: int = 0
    attempt: int = 0
    worker_id: str | None = None
    lease_until: datetime | None = None
    resumes: str | None = None
    """The id of the run that this one continues."""
    kernel_name: str | None = None
    """The kernel it is executed in, as its spec is named."""
    tracked_at: TrackedAt = TrackedAt()
    asked_as: str | None = None
    """The name under which it was asked for, which asks for it once however often it is said."""
    host: str | None = None
    """Where its process is, in an index that several machines share."""
    stop: str = ""
    """The word by which its worker is asked to stop it."""
    changed_sources: tuple[str, ...] = ()
    """Files that were edited between the asking for it and its execution, by their paths in the project."""
    in_shared_process: bool = False
    """Whether its process does other things too, so that no signal may end it."""
    kernel_gone: bool = False
    """Whether it is a session that ended because its kernel went without a word."""
    cause: RunCause | None = None
    """Why its schedule made it."""
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    """Of a run in a list, what is not there: by the field that is cut."""

    @property
    def duration(self) -> float | None:
        """Seconds from start to end; None while it has not both."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()
