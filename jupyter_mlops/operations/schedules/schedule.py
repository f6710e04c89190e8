"""`schedule`: add, remove and list schedules."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.brief import IN_LIST, brief_values
from jupyter_mlops.domain.schedule import Schedule, SchedulerStatus, ScheduleView
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.notices.targets import check_target
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.scheduler.cron import check_cron, check_timezone, local_timezone, next_fire_time
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store

SILENT = timedelta(seconds=30)
"""A scheduler that has not been heard of for longer is taken for dead."""


def add_schedule(
    store: Store,
    notebook: Path,
    cron: str,
    parameters: Mapping[str, Any],
    *,
    zone: str | None = None,
    notify: Sequence[str] = (),
    now: datetime,
) -> Schedule:
    """Make a schedule; `zone` is an IANA time zone, by default the machine's.

    Raises `InputError`, `UnknownNameError` or `NotebookError`; notebook and parameters are looked at again each time.
    """
    cron = check_cron(cron)
    zone = local_timezone() if zone is None else check_timezone(zone)
    request = check_request(notebook, parameters)
    path = store.relative(request.path)
    if Path(path).is_absolute():
        raise InputError(
            f"The notebook '{path}' is not in the project '{store.root}'.",
            "Run this command in the project that contains it.",
        )
    targets = tuple(check_target(store.root, text) for text in notify)
    return store.schedules.create(
        Schedule(store.new_id(), 0, path, cron, zone, request.given, created_at=now, notify=targets)
    )


def remove_schedule(store: Store, number: int, *, now: datetime) -> Schedule:
    """Stop a schedule; what it ran stays. Raises `UnknownNameError`."""
    return store.schedules.remove(number, now=now)


def list_schedules(store: Store, now: datetime) -> tuple[list[ScheduleView], SchedulerStatus]:
    """All schedules with their next fire time and last fire, and whether a scheduler is alive.

    Raises `InputError` where this machine does not know the time zone of one.
    """
    return [_view(store, schedule, now) for schedule in store.schedules.list()], scheduler_status(store, now)


def scheduler_status(store: Store, now: datetime) -> SchedulerStatus:
    """Whether a scheduler is alive: heard of lately and, on this machine, its process still there."""
    beat = store.schedules.newest_beat()
    if beat is None:
        return SchedulerStatus()
    heard = now - beat.beat_at < SILENT
    there = beat.host != socket.gethostname() or processes.is_alive(beat.pid, beat.pid_started)
    return SchedulerStatus(alive=heard and there, beat_at=beat.beat_at, host=beat.host)


def _view(store: Store, schedule: Schedule, now: datetime) -> ScheduleView:
    fires = store.schedules.fires(schedule.id, limit=1)
    parameters, left = brief_values(schedule.parameters, IN_LIST)
    return ScheduleView(
        **{**vars(schedule), "parameters": parameters},
        left_out={"parameters": left} if left else {},
        next_fire_at=next_fire_time(schedule.cron, schedule.timezone, now),
        last_fire=fires[0] if fires else None,
    )
