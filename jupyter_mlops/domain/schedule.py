"""A Schedule: when to run a notebook, with what, and what becomes of fire times that are missed or overlap."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from jupyter_mlops.domain.brief import LeftOut
from jupyter_mlops.domain.run import RunCause, RunOptions


class Missed(str, Enum):
    """Which of the fire times run that passed while no scheduler was running."""

    SKIP = "skip"
    LATEST = "latest"
    ALL = "all"

    def __str__(self) -> str:
        return self.value


class Overlap(str, Enum):
    """What happens while an earlier run goes on: this fire time is skipped, its run waits, or the earlier is canceled."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL = "cancel"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Timing:
    """When a schedule fires: by `cron`, five fields read in `timezone` (an IANA name), or `every` so many seconds.

    Not before `start_at` nor after `end_at`. Its runs start up to `jitter` seconds later, always as much.
    """

    cron: str = ""
    timezone: str = "UTC"
    every: float | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: float = 0.0


class TriggerKind(str, Enum):
    """What a schedule waits for in place of a time: a file that comes or changes, an ended run, a value in a database."""

    FILE = "file"
    RUN = "run"
    ROWS = "rows"

    def __str__(self) -> str:
        return self.value


class EndedAs(str, Enum):
    """How the run has to end that a schedule waits for."""

    SUCCESS = "success"
    FAILURE = "failure"
    ANY = "any"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Trigger:
    """What a schedule waits for in place of a time.

    Files: `pattern` is a path or glob relative to the project; a version counts once it has not changed for `settle`
    seconds. Runs: those of the schedule `schedule_id` that ended as `ended` says. Rows: `query` is asked of the database
    `url` (SQLAlchemy's form, or "secret:NAME") every `settle` seconds; another first value than before counts.
    """

    kind: TriggerKind
    pattern: str = ""
    settle: float = 5.0
    schedule_id: str = ""
    schedule_number: int = 0
    ended: EndedAs = EndedAs.SUCCESS
    url: str = ""
    query: str = ""


@dataclass(frozen=True)
class Sighting:
    """What a trigger saw last of one thing: of a file its `signature` (size and time), its `digest` and how many
    versions of it came (`count`); of a database the value."""

    item: str
    signature: str
    digest: str = ""
    count: int = 0


@dataclass(frozen=True)
class Policy:
    """What becomes of fire times that were missed or overlap, and of runs that fail.

    Fire times missed more than `horizon` seconds ago never run. A failed run is continued up to `retries` times: first after
    `retry_delay` seconds, each further time after twice as long.
    """

    missed: Missed = Missed.ALL
    horizon: float = 86_400.0
    overlap: Overlap = Overlap.QUEUE
    retries: int = 0
    retry_delay: float = 60.0


@dataclass(frozen=True)
class Schedule:
    """A notebook that runs at set times.

    `parameters` are values in JSON form, `templates` texts that are rendered for each fire time. `notify` are targets of its
    runs. `notebook_object` names the bytes of the notebook that run; None where it follows the file.
    """

    id: str
    number: int
    notebook: str
    timing: Timing = field(default_factory=Timing)
    parameters: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    notify: tuple[str, ...] = ()
    templates: dict[str, str] = field(default_factory=dict)
    policy: Policy = Policy()
    options: RunOptions = field(default_factory=RunOptions)
    notebook_object: str | None = None
    kernel_name: str | None = None
    paused_at: datetime | None = None
    decided_until: datetime | None = None
    """What became of its fire times up to this one is decided."""
    next_fire_at: datetime | None = None
    """The fire time after that; None where it has none, or is not known yet."""
    due_at: datetime | None = None
    """When a scheduler has to look at it next; None: never, or at once where it is not known yet."""
    trigger: Trigger | None = None
    """What it waits for in place of a time."""
    trouble: str = ""
    """Why its trigger cannot look, "" where it can."""


@dataclass(frozen=True)
class Fire:
    """One fire time of a schedule: unique per (schedule, fire time). `status`: claimed | started | skipped | failed.

    `attempt` counts how often its run was continued after it had failed.
    """

    schedule_id: str
    fire_at: datetime
    status: str
    run_id: str | None = None
    note: str = ""
    cause: RunCause = field(default_factory=RunCause)
    attempt: int = 0


@dataclass(frozen=True)
class Heartbeat:
    """A scheduler process, seen alive at `beat_at`."""

    id: str
    host: str
    pid: int
    pid_started: float
    started_at: datetime
    beat_at: datetime


@dataclass(frozen=True)
class ScheduleView(Schedule):
    """A Schedule as it is listed: with its next fire times, and what came of the last one taken."""

    fires_next: tuple[datetime, ...] = ()
    last_fire: Fire | None = None
    notebook_changed: bool = False
    """Whether the notebook's file is another one now than the bytes that run."""
    left_out: dict[str, LeftOut] = field(default_factory=dict)


@dataclass(frozen=True)
class ScheduleDetail(ScheduleView):
    """A Schedule as one looks at it: with what came of its last fire times, the newest first."""

    fires: tuple[Fire, ...] = ()


@dataclass(frozen=True)
class SchedulerStatus:
    """Whether a scheduler is alive to fire schedules, and where it was last seen."""

    alive: bool = False
    beat_at: datetime | None = None
    host: str | None = None
