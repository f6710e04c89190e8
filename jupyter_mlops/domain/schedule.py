"""A Schedule: cron + time zone + notebook + parameters; it makes runs, one per fire time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jupyter_mlops.domain.brief import LeftOut


@dataclass(frozen=True)
class Schedule:
    """`cron` has five fields, read in the time zone `timezone` (an IANA name). `notify` are targets of its runs."""

    id: str
    number: int
    notebook: str
    cron: str
    timezone: str
    parameters: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    notify: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fire:
    """One fire time of a schedule: unique per (schedule, fire time). `status`: claimed | started | skipped | failed."""

    schedule_id: str
    fire_at: datetime
    status: str
    run_id: str | None = None
    note: str = ""


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
    """A Schedule as it is listed: with its next fire time, and what came of the last one taken."""

    next_fire_at: datetime | None = None
    last_fire: Fire | None = None
    left_out: dict[str, LeftOut] = field(default_factory=dict)


@dataclass(frozen=True)
class SchedulerStatus:
    """Whether a scheduler is alive to fire schedules, and where it was last seen."""

    alive: bool = False
    beat_at: datetime | None = None
    host: str | None = None
