"""Overlap, retries, pauses, leases and pinned notebooks, with a clock that is told the time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from notebooks import code, write_notebook

from jupyter_mlops.domain.run import CauseKind, Run, RunFailure
from jupyter_mlops.domain.schedule import Heartbeat, Missed, Overlap, Schedule
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.jobs.scheduler.scheduler import LEASE, Scheduler
from jupyter_mlops.operations.schedules import steering
from jupyter_mlops.operations.schedules.listing import list_schedules, next_times, show_schedule
from jupyter_mlops.operations.schedules.making import ScheduleRequest, add_schedule, edit_schedule
from jupyter_mlops.operations.schedules.preview import preview_parameters
from jupyter_mlops.store.store import Store

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=timezone.utc)


class Clock:
    """A time that passes only when it is told to."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Setup:
    """A project with one schedule, a scheduler, and runs that end when they are told to."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder)
        self.clock = Clock()
        self.path = write_notebook(folder / "a.ipynb", code("n = 1\nday = ''", "parameters"), code("m = n"))
        self.scheduler = Scheduler(self.store, now=self.clock.now, sleep=self.clock.sleep, spawn=lambda *_: None)

    def add(self, **asked: object) -> Schedule:
        usual = {"every": 300.0, "zone": "UTC"}
        return add_schedule(self.store, self.path, ScheduleRequest(**{**usual, **asked}), now=self.clock.now())

    def pass_time(self, seconds: float) -> None:
        until = self.clock.now() + timedelta(seconds=seconds)
        self.clock.sleep(max(0.0, seconds - 400))
        while self.clock.now() < until:
            self.clock.sleep(2.0)
            self.scheduler.tick()

    def runs(self) -> list[Run]:
        return [self.store.runs.get(run.id) for run in reversed(self.store.runs.list())]

    def start(self, run: Run) -> None:
        assert self.store.runs.start(run.id, now=self.clock.now())

    def end(self, run: Run, status: Status = Status.COMPLETED) -> None:
        error = RunFailure("cell_error", "It failed.") if status is Status.FAILED else None
        self.store.runs.finish(run.id, status, now=self.clock.now(), error=error)

    def fires(self, schedule: Schedule) -> list[tuple[str, str, str]]:
        found = reversed(self.store.schedules.fires(schedule.id))
        return [(f"{fire.fire_at:%H:%M}", fire.status, fire.note) for fire in found]


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    made = Setup(tmp_path)
    yield made
    made.store.close()


def test_a_fire_time_is_skipped_while_an_earlier_run_goes_on(setup: Setup) -> None:
    schedule = setup.add(policy={"overlap": Overlap.SKIP})
    setup.pass_time(301)
    (first,) = setup.runs()
    setup.start(first)
    setup.pass_time(300)
    setup.end(first)
    setup.pass_time(300)
    assert setup.fires(schedule) == [
        ("12:05", "started", ""),
        ("12:10", "skipped", "Skipped: run 1 had not ended."),
        ("12:15", "started", ""),
    ]


def test_an_earlier_run_is_canceled_where_that_is_the_policy(setup: Setup) -> None:
    setup.add(policy={"overlap": Overlap.CANCEL})
    setup.pass_time(301)
    setup.pass_time(300)
    first, second = setup.runs()
    assert (first.status, second.status) == (Status.CANCELED, Status.PENDING)


def test_runs_of_a_queue_wait_for_one_another_and_not_for_others(setup: Setup) -> None:
    from jupyter_mlops.domain.worker import Worker
    from jupyter_mlops.store.files import processes

    setup.add()
    setup.pass_time(301)
    other = setup.add()
    setup.pass_time(300)
    pid, started = processes.this_process()
    now = setup.clock.now()
    worker = Worker("w", processes.this_host(), pid, started, 4, now, now)
    taken = [setup.store.queue.claim(worker, now=now) for _ in range(3)]
    assert [run.number if run else None for run in taken] == [1, 3, None]
    assert setup.store.runs.get(3).schedule_id == other.id
    setup.end(setup.store.runs.get(1))
    claimed = setup.store.queue.claim(worker, now=now)
    assert claimed is not None
    assert claimed.number == 2


def test_a_failed_run_is_continued_as_often_as_asked_and_each_time_later(setup: Setup) -> None:
    schedule = setup.add(every=86_400.0, policy={"retries": 2, "retry_delay": 60.0})
    setup.pass_time(86_401)
    (first,) = setup.runs()
    setup.start(first)
    setup.end(first, Status.FAILED)
    setup.pass_time(50)
    assert len(setup.runs()) == 1
    setup.pass_time(20)
    second = setup.runs()[1]
    assert (second.resumes, second.schedule_id, second.kind, second.attempt) == (first.id, schedule.id, first.kind, 0)
    assert second.options == setup.store.runs.get(first.id).options
    setup.start(second)
    setup.end(second, Status.FAILED)
    setup.pass_time(100)
    assert len(setup.runs()) == 2, "the second retry waits twice as long"
    setup.pass_time(30)
    third = setup.runs()[2]
    setup.start(third)
    setup.end(third, Status.FAILED)
    setup.pass_time(600)
    assert len(setup.runs()) == 3
    (fire,) = setup.store.schedules.fires(schedule.id)
    assert (fire.attempt, fire.run_id, fire.note) == (2, third.id, "retry 2 of 2")


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.CANCELED])
def test_what_completed_or_was_canceled_is_not_tried_again(setup: Setup, status: Status) -> None:
    setup.add(every=86_400.0, policy={"retries": 2})
    setup.pass_time(86_401)
    (first,) = setup.runs()
    setup.start(first)
    setup.end(first, status)
    setup.pass_time(600)
    assert len(setup.runs()) == 1


def test_a_retry_that_a_scheduler_left_claimed_is_taken_up_once(setup: Setup) -> None:
    schedule = setup.add(every=86_400.0, policy={"retries": 1})
    setup.pass_time(86_401)
    (first,) = setup.runs()
    setup.start(first)
    setup.end(first, Status.FAILED)
    (fire,) = setup.store.schedules.fires(schedule.id)
    assert setup.store.schedules.claim_retry(fire)
    assert not setup.store.schedules.claim_retry(fire)
    setup.pass_time(120)
    assert [run.resumes for run in setup.runs()] == [None, first.id]


def test_a_paused_schedule_does_not_fire_and_says_afterwards_what_passed(setup: Setup) -> None:
    schedule = setup.add()
    setup.pass_time(301)
    setup.end(setup.runs()[0])
    steering.pause_schedule(setup.store, 1, now=setup.clock.now())
    assert next_times(setup.store.schedules.get(1), setup.clock.now(), 3) == ()
    with pytest.raises(InputError, match="already paused"):
        steering.pause_schedule(setup.store, 1, now=setup.clock.now())
    setup.pass_time(900)
    resumed, passed = steering.resume_schedule(setup.store, 1, now=setup.clock.now())
    assert str(passed) == (
        "Skipped 3 fire times from 2026-03-10 12:10 UTC to 2026-03-10 12:20 UTC: the schedule was paused."
    )
    assert resumed.next_fire_at == NOON + timedelta(minutes=25)
    setup.pass_time(300)
    assert [status for _, status, _ in setup.fires(schedule)] == ["started", "skipped", "started"]
    with pytest.raises(InputError, match="not paused"):
        steering.resume_schedule(setup.store, 1, now=setup.clock.now())


def test_a_run_asked_for_now_is_one_more_with_its_cause(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "ensure_worker", lambda _store: None)
    schedule = setup.add(parameters={"n": 7}, policy={"overlap": Overlap.SKIP})
    made = steering.run_now(setup.store, 1, now=setup.clock.now())
    assert made.cause is not None
    assert (made.cause.kind, made.parameters["n"]) == (CauseKind.MANUAL, 7)
    with pytest.raises(InputError, match="run 1 had not ended"):
        steering.run_now(setup.store, 1, now=setup.clock.now() + timedelta(seconds=1))
    setup.end(made)
    setup.pass_time(301)
    by_time = setup.runs()[1]
    assert by_time.cause is not None
    assert (by_time.cause.kind, by_time.cause.at) == (CauseKind.TIME, "2026-03-10T12:05:00+00:00")
    assert [fire.cause.kind for fire in setup.store.schedules.fires(schedule.id)] == [CauseKind.TIME, CauseKind.MANUAL]


def test_a_pinned_notebook_runs_as_it_was_and_the_list_says_when_the_file_differs(setup: Setup) -> None:
    pinned = setup.add(every=300.0)
    following = setup.add(every=300.0, follow=True)
    before = setup.path.read_bytes()
    write_notebook(setup.path, code("n = 1\nday = ''", "parameters"), code("m = n + 1"))
    views, _ = list_schedules(setup.store, setup.clock.now())
    assert [view.notebook_changed for view in views] == [True, False]
    setup.pass_time(301)
    objects = {run.schedule_id: setup.store.objects.get(str(run.notebook_object)) for run in setup.runs()}
    assert bytes(objects[pinned.id]) == before
    assert bytes(objects[following.id]) == setup.path.read_bytes()
    edit_schedule(setup.store, 1, ScheduleRequest(pin=True), now=setup.clock.now())
    assert not show_schedule(setup.store, 1, setup.clock.now()).notebook_changed
    edit_schedule(setup.store, 1, ScheduleRequest(follow=True), now=setup.clock.now())
    assert setup.store.schedules.get(1).notebook_object is None


def test_a_pinned_notebook_runs_with_its_modules_as_they_were(setup: Setup) -> None:
    module = setup.store.root / "helper.py"
    module.write_text("value = 1\n")
    write_notebook(setup.path, code("n = 1", "parameters"), code("import helper\nm = helper.value"))
    setup.add(every=300.0)
    module.write_text("value = 2\n")
    setup.pass_time(301)
    (run,) = setup.runs()
    assert bytes(setup.store.objects.get(run.options.modules["helper.py"])) == b"value = 1\n"


def test_what_a_pinned_schedule_needs_is_not_collected(setup: Setup) -> None:
    from jupyter_mlops.operations.store.gc import _of_others

    schedule = setup.add()
    with setup.store.index.read() as connection:
        assert schedule.notebook_object in _of_others(connection)


def test_a_template_is_rendered_for_each_fire_time(setup: Setup) -> None:
    schedule = setup.add(templates={"day": "{{ fire_time.date() }}", "n": "{{ fire_time.minute }}"})
    times = next_times(schedule, setup.clock.now(), 2)
    assert preview_parameters(setup.store, schedule, times) == [
        {"day": "2026-03-10", "n": 5},
        {"day": "2026-03-10", "n": 10},
    ]
    setup.pass_time(301)
    (run,) = setup.runs()
    assert (run.parameters["day"], run.parameters["n"]) == ("2026-03-10", 5)


@pytest.mark.parametrize(
    ("asked", "kind", "says"),
    [
        ({"templates": {"n": "{{ fire_time.date() }}"}}, InputError, "'n'"),
        ({"templates": {"day": "{{ nothing }}"}}, InputError, "cannot be rendered"),
        ({"templates": {"dya": "{{ fire_time }}"}}, UnknownNameError, "dya"),
        ({"parameters": {"n": "x"}}, InputError, "'n'"),
        ({"policy": {"retries": 1000}}, InputError, "1000 retries"),
        ({"every": None, "cron": "61 * * * *"}, InputError, "not a cron expression"),
        ({"zone": "Europe/Berlim"}, UnknownNameError, "Europe/Berlin"),
        ({"options": {"only": "nothing"}}, UnknownNameError, "nothing"),
        ({"notify": ["nowhere"]}, InputError, "nowhere"),
    ],
)
def test_what_could_not_run_is_refused_when_it_is_made_or_changed(
    setup: Setup, asked: dict[str, object], kind: type[InputError], says: str
) -> None:
    with pytest.raises(kind) as caught:
        setup.add(**asked)
    assert says in f"{caught.value.message} {caught.value.hint}"
    assert setup.store.schedules.list() == []
    schedule = setup.add()
    with pytest.raises(kind):
        edit_schedule(setup.store, 1, ScheduleRequest(**asked), now=setup.clock.now())
    assert setup.store.schedules.get(1) == schedule


def test_an_edit_changes_what_it_names_and_nothing_else(setup: Setup) -> None:
    made = setup.add(parameters={"n": 2}, policy={"missed": Missed.LATEST})
    setup.clock.sleep(60)
    changed = edit_schedule(
        setup.store,
        1,
        ScheduleRequest(cron="0 3 * * *", zone="Europe/Berlin", templates={"n": "{{ fire_time.day }}"}),
        now=setup.clock.now(),
    )
    assert (changed.timing.cron, changed.timing.every) == ("0 3 * * *", None)
    assert changed.next_fire_at == datetime(2026, 3, 11, 2, 0, tzinfo=timezone.utc)
    assert (changed.parameters, changed.templates) == ({}, {"n": "{{ fire_time.day }}"})
    assert (changed.policy, changed.notebook_object) == (made.policy, made.notebook_object)
    again = edit_schedule(setup.store, 1, ScheduleRequest(unset=["n"]), now=setup.clock.now())
    assert (again.templates, again.timing, again.decided_until) == ({}, changed.timing, changed.decided_until)
    with pytest.raises(InputError, match="sets no parameter 'x'"):
        edit_schedule(setup.store, 1, ScheduleRequest(unset=["x"]), now=setup.clock.now())


def test_of_two_schedulers_one_fires_and_the_other_takes_over_when_it_stops(setup: Setup) -> None:
    setup.add()
    second = Scheduler(setup.store, now=setup.clock.now, sleep=setup.clock.sleep, spawn=lambda *_: None)
    setup.clock.sleep(295)
    setup.scheduler.tick()
    setup.clock.sleep(6)
    second.tick()
    assert setup.runs() == [], "the second has no lease"
    setup.scheduler.tick()
    assert len(setup.runs()) == 1
    setup.end(setup.runs()[0])
    setup.store.schedules.stop_beating(setup.scheduler._heart.id)
    setup.clock.sleep(300)
    second.tick()
    assert len(setup.runs()) == 2


def test_a_lease_of_a_process_that_is_gone_is_taken_at_once(setup: Setup) -> None:
    setup.add()
    now = setup.clock.now()
    import socket

    setup.store.schedules.beat(Heartbeat("dead", socket.gethostname(), 2**22 - 7, 1.0, now, now))
    assert setup.store.schedules.lease(LEASE, "dead", now=now, span=timedelta(hours=1)) == "dead"
    setup.pass_time(301)
    assert len(setup.runs()) == 1


def test_a_lease_of_another_machine_is_waited_for(setup: Setup) -> None:
    setup.add()
    now = setup.clock.now()
    setup.store.schedules.beat(Heartbeat("there", "another-machine", 1, 1.0, now, now))
    setup.store.schedules.lease(LEASE, "there", now=now, span=timedelta(seconds=400))
    setup.pass_time(301)
    assert setup.runs() == []
    setup.pass_time(110)
    assert [f"{fire.fire_at:%H:%M}" for fire in setup.store.schedules.fires(setup.store.schedules.get(1).id)] == [
        "12:05"
    ]


def test_a_schedule_that_ended_fires_no_more_and_says_so(setup: Setup) -> None:
    schedule = setup.add(end_at=NOON + timedelta(minutes=6))
    setup.pass_time(1200)
    assert [(time, status) for time, status, _ in setup.fires(schedule)] == [("12:05", "started")]
    assert show_schedule(setup.store, 1, setup.clock.now()).fires_next == ()
    assert setup.store.schedules.due(setup.clock.now()) == []
