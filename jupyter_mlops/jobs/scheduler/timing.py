"""The fire times of a schedule: its cron expression or interval, between its start and end; and when each is due."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice, pairwise

from jupyter_mlops.domain.schedule import Schedule, Timing
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.scheduler.cron import fire_times, next_fire_time

SHORTEST = 1.0
"""Seconds between two fire times, at least."""


def check_timing(timing: Timing, *, now: datetime) -> Timing:
    """`timing`, where it fires at all after `now`. Raises `InputError`."""
    if bool(timing.cron) == (timing.every is not None):
        raise InputError(
            "A schedule needs a cron expression or an interval.", "Give one: --cron '0 6 * * *' or --every 15m."
        )
    if timing.every is not None and not SHORTEST <= timing.every <= timedelta(days=3650).total_seconds():
        raise InputError(
            f"An interval of {timing.every:g} seconds is not possible.",
            "Write one from 1s up to 3650d, such as --every 15m.",
        )
    if timing.end_at is not None and timing.start_at is not None and timing.end_at <= timing.start_at:
        raise InputError("The end is not after the start.", "Choose a later --end, or an earlier --start.")
    if timing.cron and timing.start_at is None:
        next_fire_time(timing.cron, timing.timezone, now)
    if timing.end_at is not None and next(times_after(timing, now, created_at=now), None) is None:
        raise InputError("This schedule would never fire: its end comes first.", "Choose a later --end.")
    gap = smallest_gap(timing, now)
    if timing.jitter < 0 or timing.jitter >= gap:
        raise InputError(
            f"A jitter of {timing.jitter:g} seconds is not possible: fire times are {gap:g} seconds apart.",
            "Choose a smaller --jitter.",
        )
    return timing


def smallest_gap(timing: Timing, now: datetime) -> float:
    """Seconds between the next fire times, at the closest."""
    if timing.every is not None:
        return timing.every
    found = list(islice(fire_times(timing.cron, timing.timezone, now), 50))
    return min(((b - a).total_seconds() for a, b in pairwise(found)), default=math.inf)


def times_after(timing: Timing, after: datetime, *, created_at: datetime) -> Iterator[datetime]:
    """The moments (aware, UTC) after `after` at which it fires, in order.

    Intervals are counted from the start, or where there is none from `created_at`.
    """
    if not timing.cron and timing.every is None:
        return
    after = after.astimezone(timezone.utc)
    if timing.start_at is not None:
        after = max(after, timing.start_at.astimezone(timezone.utc) - timedelta(microseconds=1))
    moments = (
        _at_intervals(timing, after, created_at) if timing.every else fire_times(timing.cron, timing.timezone, after)
    )
    for moment in moments:
        if timing.end_at is not None and moment > timing.end_at:
            return
        yield moment


def _at_intervals(timing: Timing, after: datetime, created_at: datetime) -> Iterator[datetime]:
    assert timing.every is not None
    step = timedelta(seconds=timing.every)
    first = (timing.start_at or created_at + step).astimezone(timezone.utc)
    number = 0 if after < first else (after - first) // step + 1
    while True:
        yield first + number * step
        number += 1


def next_after(schedule: Schedule, after: datetime) -> datetime | None:
    """Its first fire time after `after`; None where it has none any more."""
    return next(times_after(schedule.timing, after, created_at=schedule.created_at or after), None)


def delay_of(schedule: Schedule) -> timedelta:
    """How much later than its fire times its runs start: always the same, so that their order stays."""
    if not schedule.timing.jitter:
        return timedelta(0)
    share = int.from_bytes(hashlib.sha256(schedule.id.encode()).digest()[:4], "big") / 2**32
    return timedelta(seconds=round(share * schedule.timing.jitter, 3))


def due_at(schedule: Schedule, fire_at: datetime | None) -> datetime | None:
    """When the run of a fire time starts."""
    return None if fire_at is None else fire_at + delay_of(schedule)
