"""The queue: who takes which run, for how long, and what becomes of a run whose worker vanished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from jupyter_mlops.domain.run import Run, RunFailure, RunOptions, TrackedAt
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.store.files.processes import this_host, this_process
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.attempts import next_attempt_id
from jupyter_mlops.store.tables.queue import LEASE, is_alive
from store.conftest import NOON

AddRun = Callable[..., Run]
SECOND = timedelta(seconds=1)


def worker(name: str = "w", now: datetime = NOON, **values: object) -> Worker:
    """A worker of this very process."""
    pid, started = this_process()
    given = {"host": this_host(), "pid": pid, "pid_started": started, "slots": 2, "started_at": now, "beat_at": now}
    return Worker(id=name, **{**given, **values})  # type: ignore[arg-type]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def claimed(store: Store, **values: object) -> list[int]:
    """Numbers of all runs that can be claimed now, in order."""
    found = []
    while (run := store.queue.claim(worker(), now=NOON)) is not None:
        found.append(run.number)
    return found


def test_the_highest_priority_goes_first_then_the_oldest(store: Store, add_run: AddRun) -> None:
    for priority in (0, 5, 0, 5, -1):
        add_run(priority=priority)
    assert claimed(store) == [2, 4, 1, 3, 5]
    assert store.queue.waiting() == 0


def test_a_claimed_run_is_its_workers_from_then_on(store: Store, add_run: AddRun) -> None:
    add_run()
    run = store.queue.claim(worker(), now=NOON)
    assert run is not None
    pid, started = this_process()
    assert (run.status, run.worker_id, run.started_at) == (Status.RUNNING, "w", NOON)
    assert (run.pid, run.pid_started, run.lease_until) == (pid, started, NOON + LEASE)
    assert not store.runs.start(run.id, now=NOON)
    assert store.queue.held("w") == {run.id: ""}
    assert [message.body["id"] for message in store.outbox.take()] == [run.id] * 2


def test_a_claimed_run_tells_where_its_worker_is_and_one_that_waits_again_does_not(
    store: Store, add_run: AddRun
) -> None:
    asked = add_run(kernel_name="python3", tracked_at=TrackedAt(experiment="ours"), asked_as="nightly")
    run = store.queue.claim(worker(host="elsewhere"), now=NOON)
    assert run is not None
    is_shared = store.index.engine.dialect.name == "postgresql"
    assert run.host == ("elsewhere" if is_shared else None)
    assert store.queue.lose(run, now=NOON, why="gone")
    waits = store.runs.get(next_attempt_id(asked.id))
    assert (waits.host, waits.kernel_name, waits.asked_as) == (None, "python3", "nightly")
    assert waits.tracked_at == TrackedAt(experiment="ours")
    again = store.queue.claim(worker(), now=NOON)
    assert again is not None
    assert again.host in (None, this_host())


def test_a_run_that_is_a_process_s_own_is_not_in_the_queue(store: Store, add_run: AddRun) -> None:
    pid, started = this_process()
    add_run(pid=pid, pid_started=started)
    add_run(kind="session")
    assert store.queue.waiting() == 0
    assert claimed(store) == []


def test_a_notebook_has_no_more_runs_at_work_than_it_may(store: Store, add_run: AddRun) -> None:
    limited = RunOptions(most_at_once=2)
    for notebook in ("a.ipynb", "a.ipynb", "a.ipynb", "b.ipynb"):
        add_run(notebook=notebook, options=limited)
    add_run(notebook="a.ipynb", kind="session", status=Status.RUNNING)
    assert claimed(store) == [1, 2, 4]
    store.runs.finish(store.runs.get(1).id, Status.COMPLETED, now=NOON)
    assert claimed(store) == [3]


@pytest.mark.parametrize("most", [None, 3])
def test_many_workers_at_once_take_each_run_once_and_keep_to_the_limit(
    store: Store, add_run: AddRun, most: int | None
) -> None:
    for _ in range(24):
        add_run(options=RunOptions(most_at_once=most))
    barrier = threading.Barrier(4)
    taken: list[int] = []

    def work(name: str) -> None:
        with Store.open(store.root) as own:
            barrier.wait()
            while (run := own.queue.claim(worker(name), now=NOON)) is not None:
                taken.append(run.number)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(1, 25 if most is None else most + 1))


def test_a_heartbeat_prolongs_what_the_worker_holds_and_nothing_else(store: Store, add_run: AddRun) -> None:
    add_run(), add_run()
    mine, other = worker("mine"), worker("other")
    store.queue.enter(mine)
    first, second = store.queue.claim(mine, now=NOON), store.queue.claim(other, now=NOON)
    assert first is not None
    assert second is not None
    store.queue.renew(mine, [first.id, second.id], now=NOON + 5 * SECOND)
    assert store.runs.get(first.id).lease_until == NOON + 5 * SECOND + LEASE
    assert store.runs.get(second.id).lease_until == NOON + LEASE
    assert store.queue.workers()[0].beat_at == NOON + 5 * SECOND


def test_a_worker_that_was_taken_for_gone_is_back_with_its_next_heartbeat(store: Store) -> None:
    mine = worker()
    store.queue.enter(mine)
    assert store.queue.leave("w")
    assert not store.queue.leave("w")
    store.queue.renew(mine, [], now=NOON)
    assert store.queue.workers() == [mine]


def test_a_worker_on_this_machine_is_alive_as_long_as_its_process(
    store: Store, sleeper: subprocess.Popen[bytes]
) -> None:
    import psutil

    here = worker(pid=sleeper.pid, pid_started=psutil.Process(sleeper.pid).create_time())
    # The machine may have slept, so that no heartbeat came.
    assert is_alive(here, NOON + timedelta(days=1))
    os.kill(sleeper.pid, signal.SIGSTOP)
    os.waitpid(sleeper.pid, os.WUNTRACED)
    assert is_alive(here, NOON + SECOND)
    assert not is_alive(here, NOON + timedelta(days=1))
    sleeper.kill()
    sleeper.wait()
    assert not is_alive(here, NOON + SECOND)


def test_a_worker_of_another_machine_is_alive_as_long_as_it_is_heard(store: Store) -> None:
    there = worker(host="elsewhere", pid=2**22 + 1, pid_started=1.0)
    assert is_alive(there, NOON + LEASE)
    assert not is_alive(there, NOON + 2 * LEASE)


def test_a_lost_run_is_asked_for_again_in_the_same_transaction(
    store: Store, add_run: AddRun, add_step_run: Callable[..., StepRun]
) -> None:
    options = RunOptions(given={"n": 1}, memory=5, attempts=3)
    asked = add_run(options=options, priority=7, parameters={"n": 1}, tags={"note": "kept"}, notebook_object="b")
    run = store.queue.claim(worker(), now=NOON)
    assert run is not None
    step = add_step_run(run_id=run.id)
    assert store.queue.lose(run, now=NOON, why="gone")
    lost, again = store.runs.get(asked.id), store.runs.get(next_attempt_id(asked.id))
    assert (lost.status, lost.error) == (Status.LOST, RunFailure("runner_lost", "gone"))
    assert store.steps.run(step.id).status is Status.LOST
    assert (again.status, again.attempt, again.resumes, again.worker_id) == (Status.PENDING, 1, lost.id, None)
    for name in ("options", "priority", "parameters", "notebook", "notebook_object", "tags", "kind"):
        assert getattr(again, name) == getattr(asked, name), name
    assert store.queue.waiting() == 1


def test_only_one_of_all_who_see_it_loses_a_run(store: Store, add_run: AddRun) -> None:
    add_run()
    run = store.queue.claim(worker(), now=NOON)
    assert run is not None
    assert [store.queue.lose(run, now=NOON, why="gone") for _ in range(3)] == [True, False, False]
    assert len(store.runs.list()) == 2


def test_a_run_whose_worker_was_heard_of_meanwhile_is_not_lost(store: Store, add_run: AddRun) -> None:
    add_run()
    run = store.queue.claim(worker(), now=NOON)
    assert run is not None
    store.queue.renew(worker(), [run.id], now=NOON + SECOND)
    assert not store.queue.lose(run, now=NOON + SECOND, why="gone")
    assert store.runs.get(run.id).status is Status.RUNNING


def test_a_run_is_taken_up_as_often_as_its_policy_says(store: Store, add_run: AddRun) -> None:
    add_run(options=RunOptions(attempts=2))
    for _ in range(3):
        run = store.queue.claim(worker(), now=NOON)
        assert run is not None
        store.queue.lose(run, now=NOON, why="gone")
    assert [run.attempt for run in store.runs.list()] == [2, 1, 0]
    assert store.queue.waiting() == 0


@pytest.mark.parametrize(
    ("status", "cause", "again"),
    [
        (Status.CANCELED, "interrupted", True),
        (Status.CANCELED, "canceled", False),
        (Status.FAILED, "cell_error", False),
        (Status.COMPLETED, None, False),
    ],
)
def test_only_what_its_worker_was_stopped_for_is_asked_for_again(
    store: Store, add_run: AddRun, status: Status, cause: str | None, again: bool
) -> None:
    add_run()
    run = store.queue.claim(worker(), now=NOON)
    assert run is not None
    store.runs.finish(run.id, status, now=NOON, error=None if cause is None else RunFailure(cause, "so"))
    assert store.queue.waiting() == again


def test_a_lost_run_that_was_to_be_canceled_is_not_asked_for_again(store: Store, add_run: AddRun) -> None:
    add_run()
    run = store.queue.claim(worker(), now=NOON)
    assert run is not None
    assert store.queue.ask_to_stop(run.id, "please")
    assert store.queue.held("w") == {run.id: "please"}
    store.queue.lose(run, now=NOON, why="gone")
    assert store.runs.get(run.id).stop == "please"
    assert store.queue.waiting() == 0


def test_a_run_that_is_no_workers_is_not_asked_for_again_when_it_is_lost(store: Store, add_run: AddRun) -> None:
    run = add_run()
    store.runs.start(run.id, now=NOON)
    assert store.queue.ask_to_stop(run.id, "please"), "whoever executes it reads that"
    assert store.queue.stop_word(run) == "please"
    assert store.runs.lose(store.runs.get(run.id), now=NOON, error=RunFailure("runner_lost", "gone"))
    assert len(store.runs.list()) == 1


def test_a_waiting_run_is_canceled_only_while_it_waits(store: Store, add_run: AddRun) -> None:
    waiting, taken = add_run(), add_run(priority=1)
    assert store.queue.claim(worker(), now=NOON) is not None
    assert store.queue.cancel_pending(waiting.id, now=NOON)
    assert not store.queue.cancel_pending(taken.id, now=NOON)
    assert [store.runs.get(run.id).status for run in (waiting, taken)] == [Status.CANCELED, Status.RUNNING]
    assert claimed(store) == []
