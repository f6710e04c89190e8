"""What becomes of missed fire times, by policy; nothing here has a store."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from jupyter_mlops.domain.schedule import Missed, Policy, Schedule, Timing
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.scheduler.due import MOST_COUNTED, due_times
from jupyter_mlops.jobs.scheduler.timing import check_timing, delay_of, due_at, next_after, times_after

NOON = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


def hourly(missed: Missed = Missed.ALL, horizon: float = 86_400.0, jitter: float = 0.0) -> Schedule:
    timing = Timing("0 * * * *", jitter=jitter)
    return Schedule("s", 1, "a.ipynb", timing, created_at=NOON, policy=Policy(missed=missed, horizon=horizon))


def hours(*numbers: int) -> tuple[datetime, ...]:
    return tuple(NOON + timedelta(hours=number) for number in numbers)


@pytest.mark.parametrize(
    ("missed", "run", "skipped"),
    [
        (Missed.ALL, (1, 2, 3), []),
        (Missed.LATEST, (3,), [(1, 2, 2)]),
        (Missed.SKIP, (), [(1, 3, 3)]),
    ],
)
def test_missed_times_are_made_up_by_policy(
    missed: Missed, run: tuple[int, ...], skipped: list[tuple[int, int, int]]
) -> None:
    due = due_times(hourly(missed), NOON, NOON + timedelta(hours=3, minutes=30))
    assert due.run == hours(*run)
    assert [(span.first, span.last, span.count) for span in due.skipped] == [
        (*hours(first, last), count) for first, last, count in skipped
    ]


@pytest.mark.parametrize("missed", list(Missed))
def test_a_time_that_is_met_runs_whatever_the_policy(missed: Missed) -> None:
    due = due_times(hourly(missed), NOON + timedelta(minutes=30), NOON + timedelta(hours=1, seconds=5))
    assert due.run == hours(1)
    assert due.skipped == ()


def test_the_one_on_time_is_the_latest_and_earlier_missed_ones_are_passed_over() -> None:
    due = due_times(hourly(Missed.LATEST), NOON, NOON + timedelta(hours=3, seconds=5))
    assert due.run == hours(3)
    assert str(due.skipped[0]).startswith("Skipped 2 fire times from 2026-03-10 13:00 UTC to 2026-03-10 14:00 UTC")


def test_nothing_older_than_the_horizon_runs() -> None:
    due = due_times(hourly(horizon=2 * 3600), NOON, NOON + timedelta(hours=5, minutes=30))
    assert due.run == hours(4, 5)
    assert [(span.count, str(span)) for span in due.skipped] == [
        (
            3,
            "Skipped 3 fire times from 2026-03-10 13:00 UTC to 2026-03-10 15:00 UTC: no scheduler was running, and more than "
            "2 hours has passed.",
        )
    ]


def test_very_many_missed_times_are_not_counted_to_the_end_and_the_last_is_right() -> None:
    schedule = Schedule("s", 1, "a.ipynb", Timing("* * * * *"), created_at=NOON, policy=Policy(missed=Missed.SKIP))
    now = NOON + timedelta(days=365)
    (span,) = due_times(schedule, NOON, now).skipped
    assert (span.count, span.more) == (MOST_COUNTED, True)
    assert now - timedelta(minutes=3) < span.last < now
    assert "more than 10,000 fire times" in str(span)


def test_jitter_delays_all_runs_of_a_schedule_alike_and_counts_for_what_is_late() -> None:
    schedule = hourly(Missed.SKIP, jitter=1800.0)
    delay = delay_of(schedule)
    assert timedelta(0) < delay < timedelta(minutes=30)
    assert due_at(schedule, NOON) == NOON + delay
    assert due_times(schedule, NOON, hours(1)[0] + delay - timedelta(seconds=1)).run == ()
    assert due_times(schedule, NOON, hours(1)[0] + delay + timedelta(seconds=5)).run == hours(1)


def test_intervals_are_counted_from_the_start() -> None:
    start = NOON + timedelta(minutes=7)
    timing = Timing(every=900.0, start_at=start, end_at=start + timedelta(minutes=31))
    found = list(times_after(timing, NOON - timedelta(days=1), created_at=NOON))
    assert found == [start, start + timedelta(minutes=15), start + timedelta(minutes=30)]
    assert list(times_after(timing, start, created_at=NOON)) == found[1:]
    schedule = Schedule("s", 1, "a.ipynb", Timing(every=900.0), created_at=NOON)
    assert next_after(schedule, NOON) == NOON + timedelta(minutes=15)
    assert next_after(schedule, NOON + timedelta(minutes=15)) == NOON + timedelta(minutes=30)


def test_a_cron_expression_fires_between_start_and_end_both_included() -> None:
    timing = Timing("0 * * * *", start_at=hours(2)[0], end_at=hours(4)[0])
    assert tuple(times_after(timing, NOON, created_at=NOON)) == hours(2, 3, 4)


@pytest.mark.parametrize(
    ("timing", "says"),
    [
        (Timing(), "needs a cron expression or an interval"),
        (Timing("0 * * * *", every=60.0), "needs a cron expression or an interval"),
        (Timing(every=0.1), "not possible"),
        (Timing("0 * * * *", start_at=NOON, end_at=NOON), "end is not after the start"),
        (Timing("0 * * * *", end_at=NOON - timedelta(days=1)), "never fire"),
        (Timing("0 * * * *", jitter=3600.0), "3600 seconds apart"),
        (Timing(every=60.0, jitter=61.0), "60 seconds apart"),
    ],
)
def test_a_timing_that_cannot_be_is_refused(timing: Timing, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_timing(timing, now=NOON)
