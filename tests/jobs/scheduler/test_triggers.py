"""What schedules wait for in place of a time: each thing that happens fires once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlops.domain.run import CauseKind, Run
from jupyter_mlops.domain.schedule import EndedAs, Schedule, Trigger, TriggerKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.scheduler.scheduler import Scheduler
from jupyter_mlops.operations.schedules.making import ScheduleRequest, edit_schedule
from jupyter_mlops.operations.schedules.steering import pause_schedule, remove_schedule, resume_schedule

from .test_policies import Setup


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    made = Setup(tmp_path)
    yield made
    made.store.close()


def waits(setup: Setup, trigger: Trigger, **asked: object) -> Schedule:
    return setup.add(every=None, trigger=trigger, **asked)


def causes(setup: Setup) -> list[object]:
    return [run.cause.detail.get("path") or run.cause.detail for run in setup.runs() if run.cause is not None]


FILES = Trigger(TriggerKind.FILE, "data/*.csv", settle=5.0)


def write(setup: Setup, name: str, text: str) -> Path:
    path = setup.store.root / "data" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_each_version_of_a_file_fires_once_when_it_has_settled(setup: Setup) -> None:
    write(setup, "old.csv", "1")
    waits(setup, FILES, templates={"day": "{{ cause.path }} {{ cause.version }}"})
    setup.pass_time(20)
    assert setup.runs() == [], "what was there before does not fire"
    write(setup, "new.csv", "a")
    setup.pass_time(4)
    write(setup, "new.csv", "ab")
    setup.pass_time(4)
    assert setup.runs() == [], "it is still being written"
    setup.pass_time(10)
    assert [run.parameters["day"] for run in setup.runs()] == ["data/new.csv 1"]
    setup.pass_time(60)
    assert len(setup.runs()) == 1
    write(setup, "new.csv", "abc")
    write(setup, "old.csv", "2")
    setup.pass_time(14)
    assert [run.parameters["day"] for run in setup.runs()] == ["data/new.csv 1", "data/new.csv 2", "data/old.csv 1"]
    assert {run.cause.kind for run in setup.runs() if run.cause} == {CauseKind.FILE}


def test_a_file_that_is_touched_or_written_with_the_same_content_is_no_new_version(setup: Setup) -> None:
    path = write(setup, "a.csv", "1")
    waits(setup, FILES)
    os.utime(path, (1, 1))
    setup.pass_time(30)
    path.write_text("1")
    setup.pass_time(30)
    assert setup.runs() == []
    path.write_text("2")
    setup.pass_time(30)
    path.write_text("1")
    setup.pass_time(30)
    assert [run.cause.detail["version"] for run in setup.runs() if run.cause] == [1, 2], (
        "back to what it was is a version"
    )


def test_what_is_there_already_fires_where_that_is_asked_for(setup: Setup) -> None:
    write(setup, "a.csv", "1")
    write(setup, "b.csv", "1")
    waits(setup, FILES, includes_present=True)
    setup.pass_time(14)
    assert causes(setup) == ["data/a.csv", "data/b.csv"]


def test_a_version_that_was_claimed_and_not_noted_fires_once(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler dies between firing and noting what it saw."""
    waits(setup, FILES)
    write(setup, "a.csv", "1")
    noting = setup.store.schedules.note_sightings
    monkeypatch.setattr(setup.store.schedules, "note_sightings", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        setup.pass_time(14)
    assert len(setup.runs()) == 1
    monkeypatch.setattr(setup.store.schedules, "note_sightings", noting)
    setup.scheduler = Scheduler(setup.store, now=setup.clock.now, sleep=setup.clock.sleep, spawn=lambda *_: None)
    setup.pass_time(60)
    assert len(setup.runs()) == 1


def test_what_happened_while_no_scheduler_was_running_fires_when_one_is(setup: Setup) -> None:
    waits(setup, FILES)
    write(setup, "a.csv", "1")
    setup.clock.sleep(3 * 86_400)
    setup.pass_time(14)
    assert causes(setup) == ["data/a.csv"]


def finish(setup: Setup, run: Run, status: Status) -> None:
    setup.start(run)
    setup.clock.sleep(1)
    setup.end(run, status)


@pytest.mark.parametrize(
    ("ended", "fired"),
    [
        (EndedAs.SUCCESS, [Status.COMPLETED]),
        (EndedAs.FAILURE, [Status.FAILED]),
        (EndedAs.ANY, [Status.COMPLETED, Status.FAILED]),
    ],
)
def test_a_schedule_waits_for_the_runs_of_another(setup: Setup, ended: EndedAs, fired: list[Status]) -> None:
    first = setup.add()
    second = waits(setup, Trigger(TriggerKind.RUN, schedule_id=first.id, schedule_number=1, ended=ended))
    setup.pass_time(301)
    finish(setup, setup.runs()[0], Status.COMPLETED)
    setup.pass_time(300)
    last = next(run for run in reversed(setup.runs()) if run.schedule_id == first.id)
    finish(setup, last, Status.FAILED)
    setup.pass_time(20)
    found = [run.cause.detail for run in setup.runs() if run.schedule_id == second.id and run.cause]
    assert [Status(each["status"]) for each in found] == fired
    assert all(each["schedule"] == 1 for each in found)


def test_a_failure_that_is_tried_again_is_not_the_end(setup: Setup) -> None:
    first = setup.add(every=86_400.0, policy={"retries": 1, "retry_delay": 10.0})
    waits(setup, Trigger(TriggerKind.RUN, schedule_id=first.id, schedule_number=1, ended=EndedAs.ANY))
    setup.pass_time(86_401)
    finish(setup, setup.runs()[0], Status.FAILED)
    setup.pass_time(20)
    (_, again) = setup.runs()
    finish(setup, again, Status.COMPLETED)
    setup.pass_time(10)
    assert setup.runs()[2].cause.detail["status"] == "completed"
    assert setup.runs()[2].cause.detail["run"] == again.number
    setup.pass_time(60)
    assert len(setup.runs()) == 3


def test_schedules_that_would_wait_for_one_another_are_refused(setup: Setup) -> None:
    first = setup.add()
    second = waits(setup, Trigger(TriggerKind.RUN, schedule_id=first.id, schedule_number=1))
    with pytest.raises(InputError, match="in a circle: 1 after 2"):
        edit_schedule(
            setup.store,
            1,
            ScheduleRequest(trigger=Trigger(TriggerKind.RUN, schedule_id=second.id, schedule_number=2)),
            now=setup.clock.now(),
        )


def test_a_schedule_whose_other_was_removed_says_so(setup: Setup) -> None:
    first = setup.add()
    waits(setup, Trigger(TriggerKind.RUN, schedule_id=first.id, schedule_number=1))
    remove_schedule(setup.store, 1, now=setup.clock.now())
    setup.pass_time(10)
    assert "was removed" in setup.store.schedules.get(2).trouble


def database(setup: Setup) -> tuple[sqlite3.Connection, Trigger]:
    path = setup.store.root / "events.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("create table events (id integer primary key)")
    return connection, Trigger(
        TriggerKind.ROWS, url=f"sqlite:///{path}", query="select max(id) from events", settle=60.0
    )


def test_new_rows_fire_once_each_time_the_value_differs(setup: Setup) -> None:
    connection, trigger = database(setup)
    connection.execute("insert into events default values")
    waits(setup, trigger, templates={"n": "{{ cause.value }}"})
    setup.pass_time(200)
    assert setup.runs() == []
    connection.execute("insert into events default values")
    connection.execute("insert into events default values")
    setup.pass_time(200)
    assert [run.parameters["n"] for run in setup.runs()] == [3]
    connection.close()


def test_a_database_that_cannot_be_asked_is_told_and_looked_at_again(setup: Setup) -> None:
    connection, trigger = database(setup)
    waits(setup, trigger)
    connection.execute("alter table events rename to gone")
    setup.pass_time(70)
    assert "no such table" in setup.store.schedules.get(1).trouble
    connection.execute("alter table gone rename to events")
    connection.execute("insert into events default values")
    setup.pass_time(70)
    assert setup.store.schedules.get(1).trouble == ""
    assert len(setup.runs()) == 1
    connection.close()


@pytest.mark.parametrize(
    ("trigger", "says"),
    [
        (Trigger(TriggerKind.ROWS, url="postgresql://me:hunter2@db/x", query="select 1"), "has a password in it"),
        (Trigger(TriggerKind.ROWS, url="nothing", query="select 1"), "cannot be read"),
        (Trigger(TriggerKind.ROWS, url="sqlite://", query="selct 1"), "cannot be asked"),
    ],
)
def test_a_database_that_cannot_be_is_refused_and_no_password_is_shown(
    setup: Setup, trigger: Trigger, says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        waits(setup, trigger)
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"
    assert setup.store.schedules.list() == []


def test_a_time_in_place_of_a_trigger_and_back(setup: Setup) -> None:
    waits(setup, FILES)
    timed = edit_schedule(setup.store, 1, ScheduleRequest(every=300.0), now=setup.clock.now())
    assert timed.trigger is None
    write(setup, "a.csv", "1")
    back = edit_schedule(setup.store, 1, ScheduleRequest(trigger=FILES), now=setup.clock.now())
    assert (back.timing.every, back.next_fire_at, back.due_at) == (None, None, None)
    setup.pass_time(30)
    assert setup.runs() == []
    with pytest.raises(InputError, match="not both"):
        edit_schedule(setup.store, 1, ScheduleRequest(every=300.0, trigger=FILES), now=setup.clock.now())


def test_a_paused_one_fires_for_what_came_meanwhile_when_it_is_resumed(setup: Setup) -> None:
    waits(setup, FILES)
    pause_schedule(setup.store, 1, now=setup.clock.now())
    write(setup, "a.csv", "1")
    setup.pass_time(30)
    assert setup.runs() == []
    _, passed = resume_schedule(setup.store, 1, now=setup.clock.now())
    assert passed is None
    setup.pass_time(14)
    assert causes(setup) == ["data/a.csv"]
