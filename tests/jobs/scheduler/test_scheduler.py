from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from notebooks import code, write_notebook

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.schedule import Schedule
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.errors import StoreError
from jupyter_mlops.jobs.scheduler.scheduler import Scheduler, run_id_of
from jupyter_mlops.operations.schedules.listing import list_schedules
from jupyter_mlops.operations.schedules.making import ScheduleRequest, add_schedule
from jupyter_mlops.operations.schedules.steering import remove_schedule
from jupyter_mlops.store.files.processes import this_host, this_process
from jupyter_mlops.store.store import Store

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=timezone.utc)


class Clock:
    """A time that passes only when it is told to."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Processes:
    """Notes which runs a process would have been started for, and takes each as the process would."""

    def __init__(self, clock: Clock, *, ends: bool = True) -> None:
        self.clock = clock
        self.ends = ends
        self.executed: list[str] = []
        self.started = 0

    def spawn(self, store: Store, run: Run) -> None:
        self.started += 1
        if store.runs.start(run.id, now=self.clock.now()):
            self.executed.append(run.id)
            if self.ends:
                store.runs.finish(run.id, Status.COMPLETED, now=self.clock.now())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


def scheduled(store: Store, clock: Clock, cron: str = "*/5 * * * *", **parameters: object) -> Schedule:
    path = write_notebook(store.root / "a.ipynb", code("n = 1", "parameters"))
    return add_schedule(
        store, path, ScheduleRequest(cron=cron, zone="UTC", parameters=parameters, follow=True), now=clock.now()
    )


def run_for(scheduler: Scheduler, clock: Clock, span: timedelta) -> None:
    end = clock.now() + span
    scheduler.run(lambda: clock.now() >= end)


def fires(store: Store, schedule: Schedule) -> list[tuple[str, str]]:
    return [(f"{fire.fire_at:%d %H:%M}", fire.status) for fire in reversed(store.schedules.fires(schedule.id))]


def test_each_fire_time_gets_one_run_with_the_schedules_parameters(store: Store, clock: Clock) -> None:
    schedule = scheduled(store, clock, n=3)
    processes = Processes(clock)
    run_for(Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=processes.spawn), clock, timedelta(minutes=16))
    assert fires(store, schedule) == [("10 12:05", "started"), ("10 12:10", "started"), ("10 12:15", "started")]
    runs = store.runs.list()
    assert len(runs) == len(processes.executed) == 3
    assert {run.kind for run in runs} == {"schedule"}
    assert {run.parameters["n"] for run in runs} == {3}
    assert {run.schedule_id for run in runs} == {schedule.id}


def test_missed_fire_times_of_a_day_are_run_once_each_oldest_first(store: Store, clock: Clock) -> None:
    schedule = scheduled(store, clock, "0 */6 * * *")
    clock.sleep(20 * 3600)
    processes = Processes(clock)
    for _ in range(2):
        run_for(Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=processes.spawn), clock, timedelta(seconds=3))
    expected = ["10 18:00", "11 00:00", "11 06:00"]
    assert fires(store, schedule) == [(time, "started") for time in expected]
    assert processes.executed == [
        run_id_of(schedule.id, fire.fire_at) for fire in reversed(store.schedules.fires(schedule.id))
    ]
    assert "late" in store.schedules.fires(schedule.id)[0].note


def test_fire_times_older_than_a_day_are_skipped_with_a_word(
    store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    schedule = scheduled(store, clock, "0 * * * *")
    clock.sleep(72 * 3600)
    processes = Processes(clock)
    with caplog.at_level(logging.WARNING):
        run_for(Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=processes.spawn), clock, timedelta(seconds=3))
    found = list(reversed(store.schedules.fires(schedule.id)))
    assert found[0].status == "skipped"
    assert "47 fire times from 2026-03-10 13:00 UTC to 2026-03-12 11:00 UTC" in found[0].note
    assert found[0].note in caplog.text
    # The one exactly a day old still counts, as do the 24 after it.
    assert [fire.status for fire in found[1:]] == ["started"] * 25
    assert found[1].fire_at == NOON + timedelta(days=2)


def test_runs_on_time_go_before_those_that_are_made_up(store: Store, clock: Clock) -> None:
    scheduled(store, clock, "0 * * * *")
    clock.sleep(5 * 3600 - 10)
    on_time = scheduled(store, clock, "0 17 * * *")
    scheduler = Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=lambda *_: None)
    run_for(scheduler, clock, timedelta(seconds=20))
    pid, started = this_process()
    worker = Worker("w", this_host(), pid, started, 9, clock.now(), clock.now())
    first, second = (store.queue.claim(worker, now=clock.now()) for _ in range(2))
    assert first is not None
    assert second is not None
    assert {first.priority, second.priority} == {0}, "both of 17:00"
    assert on_time.id in (first.schedule_id, second.schedule_id)
    assert sorted(run.priority for run in store.runs.list()) == [-1] * 4 + [0, 0]


def test_two_schedulers_at_once_start_nothing_twice(tmp_path: Path) -> None:
    clock = Clock(NOON)
    with Store.open(tmp_path) as store:
        schedule = scheduled(store, clock, "*/5 * * * *")
        clock.sleep(3 * 3600)
        processes = [Processes(clock), Processes(clock)]
        barrier = threading.Barrier(2)

        def work(mine: Processes) -> None:
            with Store.open(tmp_path) as own:
                scheduler = Scheduler(own, now=clock.now, sleep=clock.sleep, spawn=mine.spawn)
                barrier.wait()
                scheduler.take_up(timedelta(0))
                scheduler.tick()

        threads = [threading.Thread(target=work, args=(mine,)) for mine in processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        executed = processes[0].executed + processes[1].executed
        assert len(executed) == len(set(executed)) == 36
        assert {status for _, status in fires(store, schedule)} == {"started"}
        assert len(store.runs.list()) == 36


class Dies(BaseException):
    """The scheduler's process ends here."""


@pytest.mark.parametrize("point", ["claimed", "created", "spawned"])
def test_what_a_dead_scheduler_left_is_taken_up_and_run_once(
    store: Store, clock: Clock, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = scheduled(store, clock)
    processes = Processes(clock)

    def spawn(its_store: Store, run: Run) -> None:
        if point == "spawned":
            processes.spawn(its_store, run)
        raise Dies

    first = Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=spawn)
    if point == "claimed":
        monkeypatch.setattr(first, "_start", lambda *_: (_ for _ in ()).throw(Dies))
    clock.sleep(300)
    with pytest.raises(Dies):
        first.tick()
    assert fires(store, schedule) == [("10 12:05", "claimed")]
    # The dead one is this process here, and holds its lease until that runs out.
    run_for(Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=processes.spawn), clock, timedelta(seconds=20))
    assert fires(store, schedule) == [("10 12:05", "started")]
    assert len(processes.executed) == len(store.runs.list()) == 1


def test_a_living_scheduler_takes_up_what_another_left(store: Store, clock: Clock) -> None:
    schedule = scheduled(store, clock)
    processes = Processes(clock)
    scheduler = Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=processes.spawn)
    clock.sleep(300)
    store.schedules.claim(schedule.id, clock.now(), now=clock.now())
    run_for(scheduler, clock, timedelta(minutes=2))
    assert fires(store, schedule) == [("10 12:05", "started")]
    assert len(processes.executed) == 1


def test_a_removed_schedule_fires_no_more_and_what_was_claimed_is_settled(store: Store, clock: Clock) -> None:
    schedule = scheduled(store, clock)
    clock.sleep(300)
    store.schedules.claim(schedule.id, clock.now(), now=clock.now())
    remove_schedule(store, schedule.number, now=clock.now())
    processes = Processes(clock)
    run_for(Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=processes.spawn), clock, timedelta(minutes=20))
    assert fires(store, schedule) == [("10 12:05", "skipped")]
    assert processes.started == 0


@pytest.mark.parametrize("fault", ["gone", "broken", "parameter"])
def test_a_run_that_cannot_start_is_recorded_as_failed_and_the_loop_goes_on(
    store: Store, clock: Clock, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    schedule = scheduled(store, clock, n=3)
    path = store.root / "a.ipynb"
    if fault == "gone":
        path.unlink()
    elif fault == "broken":
        path.write_text("{")
    else:
        write_notebook(path, code("m = 1", "parameters"))
    processes = Processes(clock)
    scheduler = Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=processes.spawn)
    run_for(scheduler, clock, timedelta(minutes=6))
    (fire,) = store.schedules.fires(schedule.id)
    run = store.runs.get(str(fire.run_id))
    assert (fire.status, run.status, run.kind) == ("failed", Status.FAILED, "schedule")
    assert run.error is not None
    assert run.error.cause == "not_started"
    assert fire.note == run.error.message
    assert run.error.message.split()[0] in caplog.text
    write_notebook(path, code("n = 1", "parameters"))
    run_for(scheduler, clock, timedelta(minutes=5))
    assert [status for _, status in fires(store, schedule)] == ["failed", "started"]


def test_a_process_that_cannot_be_started_is_tried_again(store: Store, clock: Clock) -> None:
    schedule = scheduled(store, clock)
    processes = Processes(clock)
    faults = [StoreError("No process."), StoreError("No process.")]

    def spawn(its_store: Store, run: Run) -> None:
        if faults:
            raise faults.pop()
        processes.spawn(its_store, run)

    run_for(Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=spawn), clock, timedelta(minutes=9))
    assert fires(store, schedule) == [("10 12:05", "started")]
    assert len(processes.executed) == 1


def test_a_store_that_is_busy_for_a_moment_does_not_end_the_loop(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = scheduled(store, clock)
    processes = Processes(clock)
    listing, faults = store.schedules.list, [StoreError("The index was busy.")] * 3
    monkeypatch.setattr(store.schedules, "list", lambda: (_ for _ in ()).throw(faults.pop()) if faults else listing())
    run_for(Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=processes.spawn), clock, timedelta(minutes=6))
    assert fires(store, schedule) == [("10 12:05", "started")]


def test_the_heartbeat_says_whether_a_scheduler_is_alive(store: Store, clock: Clock) -> None:
    schedule = scheduled(store, clock)
    views, status = list_schedules(store, clock.now())
    assert not status.alive
    assert views[0].fires_next == (NOON + timedelta(minutes=5),)
    assert views[0].last_fire is None
    scheduler = Scheduler(store, now=clock.now, sleep=clock.sleep, spawn=Processes(clock).spawn)
    clock.sleep(300)
    scheduler.tick()
    views, status = list_schedules(store, clock.now())
    assert status.alive
    assert status.host
    assert views[0].last_fire is not None
    assert (views[0].number, views[0].last_fire.status) == (schedule.number, "started")
    assert not list_schedules(store, clock.now() + timedelta(minutes=1))[1].alive
    run_for(scheduler, clock, timedelta(seconds=1))
    assert not list_schedules(store, clock.now())[1].alive


def test_the_id_of_a_run_follows_from_schedule_and_time() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    assert run_id_of("a", NOON) == run_id_of("a", elsewhere) != run_id_of("b", NOON)
    assert len(run_id_of("a", NOON)) == 32
