"""Schedules as they are listed and looked at: when they fire next, what came of the last times, and who fires them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import islice

from jupyter_mlops.domain.brief import IN_LIST, brief_values
from jupyter_mlops.domain.schedule import Fire, Schedule, ScheduleDetail, SchedulerStatus, ScheduleView
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.scheduler.starting import scheduler_status
from jupyter_mlops.jobs.scheduler.timing import times_after
from jupyter_mlops.store.files.notebooks import read_bytes
from jupyter_mlops.store.objects.local import name_of
from jupyter_mlops.store.store import Store

NEXT = 5
FIRES = 20


def list_schedules(store: Store, now: datetime) -> tuple[list[ScheduleView], SchedulerStatus]:
    """All schedules with their next fire time and last fire, and whether a scheduler is alive.

    Raises `InputError` where this machine does not know the time zone of one.
    """
    schedules = store.schedules.list()
    newest = store.schedules.newest_fires([schedule.id for schedule in schedules])
    changed = {key: has_changed(store, *key) for key in {(each.notebook, each.notebook_object) for each in schedules}}
    views = [
        _view(schedule, newest.get(schedule.id), now, 1, changed[schedule.notebook, schedule.notebook_object])
        for schedule in schedules
    ]
    return views, scheduler_status(store, now)


def show_schedule(store: Store, number: int, now: datetime) -> ScheduleDetail:
    """One schedule with its next `NEXT` fire times and what came of the last `FIRES`.

    Raises `UnknownNameError`, or `InputError` where this machine does not know its time zone.
    """
    schedule = store.schedules.get(number)
    fires = store.schedules.fires(schedule.id, limit=FIRES)
    changed = has_changed(store, schedule.notebook, schedule.notebook_object)
    view = _view(schedule, fires[0] if fires else None, now, NEXT, changed)
    return ScheduleDetail(**vars(view), fires=tuple(fires))


def next_times(schedule: Schedule, now: datetime, count: int) -> tuple[datetime, ...]:
    """The next `count` fire times after `now` (aware, UTC); fewer where it ends, none while it is paused.

    Raises `InputError` where this machine does not know its time zone.
    """
    if schedule.paused_at is not None:
        return ()
    return tuple(islice(times_after(schedule.timing, now, created_at=schedule.created_at or now), count))


def _view(schedule: Schedule, last: Fire | None, now: datetime, count: int, changed: bool) -> ScheduleView:
    parameters, left = brief_values({**schedule.parameters, **schedule.templates}, IN_LIST)
    options = replace(schedule.options, modules={})
    return ScheduleView(
        **{**vars(schedule), "parameters": parameters, "templates": {}, "options": options},
        left_out={"parameters": left} if left else {},
        fires_next=next_times(schedule, now, count),
        last_fire=last,
        notebook_changed=changed,
    )


def has_changed(store: Store, notebook: str, pinned: str | None) -> bool:
    """Whether the file of a notebook is another one now than the pinned object, or gone."""
    if pinned is None:
        return False
    try:
        return name_of(read_bytes(store.root / notebook)) != pinned
    except InputError:
        return True
