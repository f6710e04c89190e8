"""The worker's loop, with executors that stand in for kernels: what it takes, when it ends, what it leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from workers import until

from jupyter_mlops.domain.run import Run, RunFailure, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, StoreError
from jupyter_mlops.execution.engine.stop import Stop
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.jobs.worker.worker import WorkLoop
from jupyter_mlops.operations.runs.cancel import cancel
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.queue import LEASE

SECONDS = 30.0


class Slots:
    """Executes runs by a function of the test's, each in a thread and without a kernel."""

    def __init__(self, store: Store, execute: Callable[[Store, str, Stop], None]) -> None:
        self.store = store
        self.execute = execute
        self.stops: dict[str, Stop] = {}

    def submit(self, run: Run) -> Future[None]:
        future: Future[None] = Future()
        stop = self.stops[run.id] = Stop()

        def work() -> None:
            try:
                self.execute(self.store, run.id, stop)
            finally:
                future.set_result(None)

        threading.Thread(target=work, daemon=True).start()
        return future

    def stop(self, run_id: str, word: str) -> bool:
        self.stops[run_id].ask_once(word)
        return True

    def interrupt(self, run_id: str, word: str) -> bool:
        self.stops[run_id].ask(word, "interrupted")
        return True

    def close(self, *, wait: bool) -> None:
        """Its threads are the process's."""


def completes(store: Store, run_id: str, _stop: Stop) -> None:
    store.runs.finish(run_id, Status.COMPLETED, now=store.now())


def until_stopped(store: Store, run_id: str, stop: Stop) -> None:
    """A run that goes on until it is told to stop, and then says so truly."""
    until(lambda: stop.word)
    store.runs.finish(
        run_id, Status.CANCELED, now=store.now(), error=RunFailure(stop.cause, f"Canceled ({stop.word}).")
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def ask(store: Store, **values: Any) -> Run:
    given = {"kind": "job", "notebook": "a.ipynb", "status": Status.PENDING, "created_at": store.now()} | values
    return store.runs.create(Run(**({"id": store.new_id(), "number": 0} | given)))


@pytest.fixture
def start(store: Store) -> Iterator[Callable[..., WorkLoop]]:
    """Starts a worker in a thread; all are stopped at the end."""
    loops: list[tuple[WorkLoop, threading.Thread]] = []

    def start(execute: Callable[[Store, str, Stop], None] = completes, **options: Any) -> WorkLoop:
        loop = WorkLoop(store, **({"slots": 2, "executor": Slots(store, execute)} | options))
        thread = threading.Thread(target=loop.run, daemon=True)
        thread.start()
        loops.append((loop, thread))
        return loop

    yield start
    for loop, thread in loops:
        loop.stop()
        loop.stop()
        thread.join(SECONDS)
        assert not thread.is_alive()


def status(store: Store, run: Run) -> Status:
    return store.runs.get(run.id).status


def test_a_worker_executes_what_waits_and_what_comes(store: Store, start: Callable[..., WorkLoop]) -> None:
    first = [ask(store) for _ in range(3)]
    start()
    until(lambda: all(status(store, run) is Status.COMPLETED for run in first))
    later = ask(store)
    until(lambda: status(store, later) is Status.COMPLETED)
    assert [worker.slots for worker in store.queue.living(store.now())] == [2]


def test_it_has_no_more_at_work_than_slots(store: Store, start: Callable[..., WorkLoop]) -> None:
    runs = [ask(store) for _ in range(3)]
    start(until_stopped)
    until(lambda: [status(store, run) for run in runs] == [Status.RUNNING, Status.RUNNING, Status.PENDING])
    time.sleep(0.5)
    assert status(store, runs[2]) is Status.PENDING
    cancel(store, runs[0].number)
    until(lambda: status(store, runs[2]) is Status.RUNNING)


def test_a_draining_worker_ends_when_nothing_is_left(store: Store) -> None:
    runs = [ask(store) for _ in range(5)]
    WorkLoop(store, slots=2, executor=Slots(store, completes), linger=0.0).run()
    assert {status(store, run) for run in runs} == {Status.COMPLETED}
    assert store.queue.workers() == []


def test_a_run_asked_for_while_the_worker_is_leaving_is_not_left_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave, late = store.queue.leave, []

    def leaving(worker_id: str) -> bool:
        # Whoever asks now still sees a living worker, and starts none.
        if not late:
            late.append(ask(store))
        return leave(worker_id)

    monkeypatch.setattr(store.queue, "leave", leaving)
    WorkLoop(store, slots=2, executor=Slots(store, completes), linger=0.0).run()
    assert status(store, late[0]) is Status.COMPLETED


def test_a_canceled_run_is_told_to_stop_within_two_seconds(store: Store, start: Callable[..., WorkLoop]) -> None:
    run = ask(store)
    start(until_stopped)
    until(lambda: status(store, run) is Status.RUNNING)
    began = time.monotonic()
    cancel(store, run.number)
    until(lambda: status(store, run).ended)
    assert time.monotonic() - began < 2.0
    ended = store.runs.get(run.id)
    assert ended.error is not None
    assert (ended.status, ended.error.cause) == (Status.CANCELED, "canceled")
    assert store.queue.waiting() == 0
    with pytest.raises(InputError, match="already ended"):
        cancel(store, run.id)


def test_a_stopped_worker_lets_its_runs_end_and_takes_no_more(store: Store, start: Callable[..., WorkLoop]) -> None:
    go = threading.Event()

    def waits(its_store: Store, run_id: str, stop: Stop) -> None:
        assert go.wait(SECONDS)
        assert stop.word is None
        completes(its_store, run_id, stop)

    first, second = ask(store), ask(store)
    loop = start(waits, slots=1)
    until(lambda: status(store, first) is Status.RUNNING)
    loop.stop()
    until(lambda: [worker.slots for worker in store.queue.workers()] == [0])
    go.set()
    until(lambda: store.queue.workers() == [])
    assert [status(store, run) for run in (first, second)] == [Status.COMPLETED, Status.PENDING]


@pytest.mark.parametrize("how", ["twice", "grace"])
def test_what_does_not_end_is_stopped_by_name_and_asked_for_again(
    store: Store, start: Callable[..., WorkLoop], how: str
) -> None:
    run = ask(store)
    loop = start(until_stopped, grace=0.3 if how == "grace" else 60.0)
    until(lambda: status(store, run) is Status.RUNNING)
    loop.stop()
    if how == "twice":
        loop.stop()
    until(lambda: store.queue.workers() == [])
    again, ended = store.runs.list()
    assert ended.error is not None
    assert (ended.status, ended.error.cause) == (Status.CANCELED, "interrupted")
    assert (again.status, again.attempt, again.resumes) == (Status.PENDING, 1, run.id)


def test_a_worker_whose_run_was_taken_from_it_stops_it(store: Store, start: Callable[..., WorkLoop]) -> None:
    words = []

    def listens(_store: Store, _run_id: str, stop: Stop) -> None:
        words.append(until(lambda: stop.word))

    run = ask(store, options=RunOptions(attempts=0))
    start(listens)
    held = until(lambda: store.runs.get(run.id).worker_id and store.runs.get(run.id))
    assert store.queue.lose(store.runs.get(held.id), now=store.now(), why="taken for gone")
    until(lambda: words)
    assert status(store, run) is Status.LOST


def test_a_run_whose_end_could_not_be_recorded_is_lost_and_executed_again(
    store: Store, start: Callable[..., WorkLoop]
) -> None:
    def fails_once(its_store: Store, run_id: str, stop: Stop) -> None:
        if its_store.runs.get(run_id).attempt:
            completes(its_store, run_id, stop)

    run = ask(store)
    start(fails_once)
    until(lambda: len(store.runs.list()) == 2 and store.runs.list()[0].status is Status.COMPLETED)
    lost = store.runs.get(run.id)
    assert lost.error is not None
    assert (lost.status, lost.error.cause) == (Status.LOST, "runner_lost")


def test_a_store_that_is_busy_for_a_moment_does_not_end_the_worker(
    store: Store, start: Callable[..., WorkLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, faults = store.queue.claim, [StoreError("The index was busy.")] * 2
    monkeypatch.setattr(
        store.queue,
        "claim",
        lambda *words, **named: (_ for _ in ()).throw(faults.pop()) if faults else claim(*words, **named),
    )
    run = ask(store)
    start()
    until(lambda: status(store, run) is Status.COMPLETED)
    assert faults == []


def test_leases_are_renewed_while_a_run_takes_long(
    store: Store, start: Callable[..., WorkLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mlops.jobs.worker.worker.BEAT_SECONDS", 0.05)
    run = ask(store)
    start(until_stopped)
    first = until(lambda: store.runs.get(run.id).lease_until)
    until(lambda: store.runs.get(run.id).lease_until > first)


def test_whoever_looks_first_takes_up_what_a_vanished_worker_held_and_others_do_nothing(store: Store) -> None:
    loop = WorkLoop(store, slots=1, executor=Slots(store, completes))
    gone = replace(loop.worker, pid=2**22 + 1, pid_started=1.0)
    store.queue.enter(gone)
    run = ask(store)
    assert store.queue.claim(gone, now=store.now()) is not None
    asked: list[Store] = []
    found = [reconcile(store, now=store.now(), see_to_worker=asked.append) for _ in range(3)]
    assert [[lost.id for lost in each] for each in found] == [[run.id], [], []]
    assert [each.status for each in store.runs.list()] == [Status.PENDING, Status.LOST]
    assert len(asked) == 1, "one worker takes the place of the one that vanished"
    assert store.queue.workers() == []


def test_what_a_worker_of_another_machine_holds_is_left_alone_until_its_lease_is_over(store: Store) -> None:
    loop = WorkLoop(store, slots=1, executor=Slots(store, completes))
    there = replace(loop.worker, host="elsewhere", pid=2**22 + 1, pid_started=1.0)
    store.queue.enter(there)
    run = ask(store)
    now = store.now()
    assert store.queue.claim(there, now=now) is not None
    asked: list[Store] = []
    assert reconcile(store, now=now + LEASE, see_to_worker=asked.append) == []
    assert [lost.id for lost in reconcile(store, now=now + 2 * LEASE, see_to_worker=asked.append)] == [run.id]
    assert store.queue.waiting() == len(asked) == 1


def test_a_run_held_by_no_worker_that_is_known_is_lost_when_its_lease_is_over(store: Store) -> None:
    loop = WorkLoop(store, slots=1, executor=Slots(store, completes))
    run = ask(store)
    now = store.now()
    assert store.queue.claim(loop.worker, now=now) is not None
    assert reconcile(store, now=now + LEASE, see_to_worker=lambda _: None) == []
    lost = reconcile(store, now=now + LEASE + timedelta(minutes=1), see_to_worker=lambda _: None)
    assert [each.id for each in lost] == [run.id]
