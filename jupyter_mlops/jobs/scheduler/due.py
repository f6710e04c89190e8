"""Which fire times of a schedule are due, and what becomes of those that were missed. Nothing here has effects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from jupyter_mlops.domain.schedule import Missed, Schedule
from jupyter_mlops.jobs.scheduler.timing import delay_of, times_after

LATE = timedelta(minutes=1)
"""DueTimes longer ago than this, a fire time counts as missed."""
MOST_AT_ONCE = 1000
MOST_COUNTED = 10_000
NEAR_THE_END = timedelta(days=2)


@dataclass(frozen=True)
class Span:
    """Fire times that do not run: the first and last of them, how many (`more`: at least so many), and why."""

    first: datetime
    last: datetime
    count: int
    why: str
    more: bool = False

    def __str__(self) -> str:
        if self.count == 1:
            return f"Skipped {shown(self.first)}: {self.why}."
        many = f"more than {self.count:,}" if self.more else f"{self.count:,}"
        return f"Skipped {many} fire times from {shown(self.first)} to {shown(self.last)}: {self.why}."


@dataclass(frozen=True)
class DueTimes:
    """What is to be done with fire times up to now: those of `skipped` do not run, then those of `run` do, in order."""

    skipped: tuple[Span, ...] = ()
    run: tuple[datetime, ...] = ()


def shown(moment: datetime) -> str:
    """A time for people, in UTC."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def due_times(schedule: Schedule, since: datetime, now: datetime) -> DueTimes:
    """The fire times after `since` whose runs should have started by `now`, by the schedule's policy for missed ones."""
    until = now - delay_of(schedule)
    horizon = timedelta(seconds=schedule.policy.horizon)
    if schedule.policy.missed is Missed.SKIP:
        horizon = min(horizon, LATE)
    old = span_of(schedule, since, until - horizon, _why_old(schedule))
    begin = max(since, until - horizon - timedelta(microseconds=1))
    times = times_after(schedule.timing, begin, created_at=_anchor(schedule, since))
    due = list(islice(takewhile(lambda moment: moment <= until, times), MOST_AT_ONCE))
    skipped = [] if old is None else [old]
    if schedule.policy.missed is Missed.LATEST and len(due) > 1:
        passed_over = [moment for moment in due[:-1] if until - moment > LATE]
        if passed_over:
            skipped.append(
                Span(passed_over[0], passed_over[-1], len(passed_over), "only the latest missed run is made up")
            )
            due = due[len(passed_over) :]
    return DueTimes(tuple(skipped), tuple(due))


def span_of(schedule: Schedule, since: datetime, until: datetime, why: str) -> Span | None:
    """The fire times in (since, until), which do not run. Very many are not counted to the end."""
    first: datetime | None = None
    last, count, more = since, 0, False
    anchor = _anchor(schedule, since)
    for moment in times_after(schedule.timing, since, created_at=anchor):
        if moment >= until:
            break
        first, last, count = first or moment, moment, count + 1
        if count == MOST_COUNTED:
            more = True
            near = max(last, until - NEAR_THE_END)
            for late in times_after(schedule.timing, near, created_at=anchor):
                if late >= until:
                    break
                last = late
            break
    return None if first is None else Span(first, last, count, why, more)


def _anchor(schedule: Schedule, since: datetime) -> datetime:
    return schedule.created_at or since


def _why_old(schedule: Schedule) -> str:
    if schedule.policy.missed is Missed.SKIP:
        return "no scheduler was running, and missed runs are not made up"
    span = timedelta(seconds=schedule.policy.horizon)
    return f"no scheduler was running, and more than {_span(span)} has passed"


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    if span == timedelta(days=1):
        return "a day"
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours" if hours >= 1 else f"{hours * 60:g} minutes"
