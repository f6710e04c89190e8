"""What the index says to an execution that goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlops.domain.run import Run, RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.errors import StoreError
from jupyter_mlops.jobs.running import stop_word as module
from jupyter_mlops.jobs.running.stop_word import UNREACHABLE, StopWord
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.queue import LEASE, TAKEN


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def waiting(store: Store) -> Run:
    return store.runs.create(Run(store.new_id(), 0, RunKind.JOB, "a.ipynb", Status.PENDING, created_at=store.now()))


def claimed(store: Store) -> Run:
    waiting(store)
    pid, started = processes.this_process()
    worker = Worker("w", processes.this_host(), pid, started, 1, store.now(), store.now())
    run = store.queue.claim(worker, now=store.now())
    assert run is not None
    return run


def test_a_word_of_any_process_is_read(store: Store) -> None:
    run = claimed(store)
    asked = StopWord(store, run)
    assert asked() == ""
    with Store.open(store.root) as other:
        assert other.queue.ask_to_stop(run.id, "please")
    assert asked() == "please"


def test_a_run_that_is_its_worker_s_no_more_is_to_stop(store: Store) -> None:
    run = claimed(store)
    asked = StopWord(store, run)
    assert StopWord(store, replace(run, worker_id="another"))() == TAKEN
    assert store.queue.lose(run, now=store.now(), why="gone")
    assert asked() == TAKEN
    store.runs.remove(run.id)
    assert asked() == TAKEN


def test_a_run_of_no_worker_goes_on(store: Store) -> None:
    run = waiting(store)
    assert store.runs.start(run.id, now=store.now())
    assert StopWord(store, store.runs.get(run.id))() == ""


@pytest.mark.parametrize(
    ("is_local", "seconds", "word"), [(True, 99.0, ""), (False, 1.0, ""), (False, 99.0, UNREACHABLE)]
)
def test_an_index_out_of_reach_stops_only_what_another_machine_may_have_taken(
    store: Store, monkeypatch: pytest.MonkeyPatch, is_local: bool, seconds: float, word: str
) -> None:
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    asked = StopWord(store, claimed(store))
    monkeypatch.setattr(type(store.index), "is_local", is_local)

    def fails(_run: Run) -> str:
        raise StoreError("The index cannot be reached.")

    monkeypatch.setattr(store.queue, "stop_word", fails)
    assert LEASE.total_seconds() > 1.0
    clock[0] = seconds
    assert asked() == word
