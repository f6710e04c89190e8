"""Schedules, their fire times and the schedulers' heartbeats in the index."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from jupyter_mlops.domain.schedule import Heartbeat, Schedule, Timing
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.store.store import Store
from store.conftest import NOON


@pytest.fixture
def schedule(store: Store) -> Schedule:
    made = Schedule(store.new_id(), 0, "nb.ipynb", Timing("*/5 * * * *", "Europe/Berlin"), {"rate": 0.5}, NOON)
    return store.schedules.create(made)


def test_a_schedule_comes_back_under_the_next_number(store: Store, schedule: Schedule) -> None:
    assert schedule.number == 1
    assert store.schedules.get(1) == schedule
    assert (schedule.timing.cron, schedule.timing.timezone, schedule.parameters) == (
        "*/5 * * * *",
        "Europe/Berlin",
        {"rate": 0.5},
    )


def test_a_removed_schedule_is_gone_its_number_is_not_used_again_and_its_history_stays(
    store: Store, schedule: Schedule
) -> None:
    store.schedules.claim(schedule.id, NOON, now=NOON)
    assert store.schedules.remove(1, now=NOON) == schedule
    assert store.schedules.list() == []
    with pytest.raises(UnknownNameError, match="no schedule named '1'"):
        store.schedules.get(1)
    second = store.schedules.create(Schedule(store.new_id(), 0, "nb.ipynb", Timing("0 0 * * *"), created_at=NOON))
    assert second.number == 2
    assert len(store.schedules.fires(schedule.id)) == 1


def test_a_fire_time_is_claimed_once(store: Store, schedule: Schedule) -> None:
    assert store.schedules.claim(schedule.id, NOON, now=NOON)
    assert not store.schedules.claim(schedule.id, NOON, now=NOON + timedelta(hours=1))
    berlin = datetime(2026, 11, 21, 13, tzinfo=timezone(timedelta(hours=1)))
    assert not store.schedules.claim(schedule.id, berlin, now=NOON), "the same moment in another time zone"
    assert store.schedules.claim(schedule.id, NOON + timedelta(minutes=5), now=NOON)


def test_what_came_of_a_fire_time_is_kept_newest_first(store: Store, schedule: Schedule) -> None:
    late = NOON + timedelta(minutes=5)
    store.schedules.claim(schedule.id, NOON, now=NOON)
    store.schedules.claim(schedule.id, late, now=NOON, status="skipped", note="older than a day")
    assert [fire.fire_at for fire in store.schedules.claimed()] == [NOON]
    store.schedules.finish_fire(schedule.id, NOON, "started", run_id="r1")
    assert store.schedules.claimed() == []
    newest, oldest = store.schedules.fires(schedule.id)
    assert (newest.status, newest.note, oldest.status, oldest.run_id) == (
        "skipped",
        "older than a day",
        "started",
        "r1",
    )
    assert len(store.schedules.fires(schedule.id, limit=1)) == 1


def test_the_scheduler_seen_last_is_told_until_it_stops(store: Store) -> None:
    assert store.schedules.heartbeats() == []
    first = Heartbeat("h1", "one", 1, 1.0, NOON, NOON)
    second = Heartbeat("h2", "two", 2, 2.0, NOON, NOON + timedelta(seconds=5))
    store.schedules.beat(first)
    store.schedules.beat(second)
    assert store.schedules.heartbeats()[0] == second
    again = Heartbeat("h1", "one", 1, 1.0, NOON, NOON + timedelta(seconds=9))
    store.schedules.beat(again)
    assert store.schedules.heartbeats()[0] == again
    store.schedules.stop_beating("h1")
    store.schedules.stop_beating("h2")
    assert store.schedules.heartbeats() == []
