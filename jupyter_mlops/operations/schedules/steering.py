"""`schedule pause`, `resume`, `run-now` and `remove`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.schedule import Schedule
from jupyter_mlops.errors import InputError, MLOpsError, StoreError
from jupyter_mlops.jobs.detached import ensure_worker
from jupyter_mlops.jobs.scheduler.due import Span, span_of
from jupyter_mlops.jobs.scheduler.firing import make_way, manual_fire, queued_run
from jupyter_mlops.jobs.scheduler.timing import due_at, next_after
from jupyter_mlops.store.store import Store


def pause_schedule(store: Store, number: int, *, now: datetime) -> Schedule:
    """Let a schedule fire no more until it is resumed. Raises `UnknownNameError`, or `InputError` where it is paused."""
    schedule = store.schedules.get(number)
    if schedule.paused_at is not None:
        raise InputError(f"Schedule {number} is already paused.", f"Resume it: jupyter mlops schedule resume {number}")
    return store.schedules.replace(replace(schedule, paused_at=now))


def resume_schedule(store: Store, number: int, *, now: datetime) -> tuple[Schedule, Span | None]:
    """Let a paused schedule fire again from `now` on; gives the fire times that passed meanwhile, which never run.

    Raises `UnknownNameError`, or `InputError` where it is not paused.
    """
    schedule = store.schedules.get(number)
    if schedule.paused_at is None:
        raise InputError(f"Schedule {number} is not paused.", f"See it: jupyter mlops schedule show {number}")
    since = max(schedule.decided_until or schedule.paused_at, schedule.paused_at)
    passed = span_of(schedule, since, now, "the schedule was paused")
    if passed is not None:
        store.schedules.claim(schedule.id, passed.last, now=now, status="skipped", note=str(passed))
    following = next_after(schedule, now)
    changed = replace(
        schedule, paused_at=None, decided_until=now, next_fire_at=following, due_at=due_at(schedule, following)
    )
    return store.schedules.replace(changed), passed


def run_now(store: Store, number: int, *, now: datetime) -> Run:
    """Put a run of the schedule into the queue at once, besides its fire times; returns it, pending.

    Raises `UnknownNameError`, `InputError` where an earlier run has not ended and its policy is to skip, and as
    `submit` does.
    """
    schedule = store.schedules.get(number)
    fire = manual_fire(schedule, now)
    skipped = make_way(store, schedule, now=now)
    if skipped:
        raise InputError(
            f"Schedule {number} runs one at a time: {skipped.removeprefix('Skipped: ')}",
            f"Wait until it ends, or change its policy: jupyter mlops schedule edit {number} --overlap queue",
        )
    store.schedules.claim(schedule.id, now, now=now, cause=fire.cause)
    try:
        run = queued_run(store, schedule, fire, None, now=now)
    except StoreError:
        raise  # the claim stays: a scheduler takes it up once the store can be used
    except MLOpsError as error:
        store.schedules.finish_fire(schedule.id, now, "failed", note=f"{error.message} {error.hint}".strip())
        raise
    store.schedules.finish_fire(schedule.id, now, "started", run_id=run.id)
    ensure_worker(store)
    return store.runs.get(run.id)


def remove_schedule(store: Store, number: int, *, now: datetime) -> Schedule:
    """Stop a schedule; what it ran stays. Raises `UnknownNameError`."""
    return store.schedules.remove(number, now=now)
