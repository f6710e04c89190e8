"""A run is continued in one way, whoever asks: the queue whose worker vanished, a user who asks again, one who resumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from notebooks import code, write_notebook

from jupyter_mlops.domain.run import Progress, Run, RunFailure, RunKind, RunOptions, TrackedAt
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.queue.continuing import ask_again, ask_for_rest
from jupyter_mlops.jobs.queue.request import check_request, request_of
from jupyter_mlops.jobs.queue.submission import enqueue
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def claimed(store: Store) -> Run:
    """A run of a schedule that a worker executes, and of which much is known by now."""
    path = write_notebook(store.root / "a.ipynb", code("n = 1", "parameters"))
    options = RunOptions(memory=100, attempts=3)
    request = check_request(path, {"n": 5})
    asked = enqueue(
        store, request, kind=RunKind.SCHEDULE, now=store.now(), options=options, priority=2, schedule_id="s"
    )
    pid, started = processes.this_process()
    now = store.now()
    assert store.queue.claim(Worker("w", "elsewhere", pid, started, 1, now, now), now=now) is not None
    store.runs.update(asked.id, tags={"kernel_kind": "warm", "kernel_why": "so", "note": "kept"}, asked_as="nightly")
    store.runs.update(asked.id, output_path="runs/a-1.ipynb", mlflow_run_id="m", metrics={"auc": 1.0})
    store.runs.update(asked.id, progress=Progress(1, 2), changed_sources=("a.ipynb",), tracked_at=TrackedAt("uri"))
    return store.runs.get(asked.id)


def lose(store: Store, run: Run) -> Run:
    assert store.queue.lose(run, now=store.now(), why="gone")
    (made,) = store.runs.continuing(run.id)
    return store.runs.get(made.id)


def ended(store: Store, run: Run) -> Run:
    assert store.runs.finish(run.id, Status.FAILED, now=store.now(), error=RunFailure("cell_error", "boom"))
    return store.runs.get(run.id)


def again(store: Store, run: Run) -> Run:
    return store.runs.get(ask_again(store, ended(store, run)).id)


def rest(store: Store, run: Run) -> Run:
    run = ended(store, run)
    return store.runs.get(ask_for_rest(store, run, request_of(store, run), run.options, queued=True).id)


@pytest.mark.parametrize("continued", [lose, again, rest])
def test_what_is_taken_over_is_the_same_whoever_asks(store: Store, continued: Callable[[Store, Run], Run]) -> None:
    run = claimed(store)
    made = continued(store, run)
    assert made.resumes == run.id
    for name in ("notebook", "notebook_object", "parameters", "environment", "priority", "kernel_name", "asked_as"):
        assert getattr(made, name) == getattr(run, name), name
    assert made.options == run.options
    assert made.tags == {"note": "kept"}, "but not in which kernel it was executed"
    fresh = Run("", 0, RunKind.JOB, "", Status.PENDING)
    for name in (
        "status",
        "metrics",
        "output_path",
        "error",
        "progress",
        "mlflow_run_id",
        "pid",
        "pid_started",
        "host",
    ):
        assert getattr(made, name) == getattr(fresh, name), name
    for name in ("started_at", "ended_at", "worker_id", "lease_until", "stop", "changed_sources", "in_shared_process"):
        assert getattr(made, name) == getattr(fresh, name), name
    assert store.queue.waiting() == 1


def test_only_the_rest_is_tracked_where_it_is_asked_for_and_is_a_job_of_its_own(store: Store) -> None:
    run = claimed(store)
    once_more = again(store, run)
    assert (once_more.kind, once_more.schedule_id, once_more.tracked_at) == ("schedule", "s", TrackedAt("uri"))
    left = ask_for_rest(store, ended(store, once_more), request_of(store, once_more), run.options, queued=True)
    assert (left.kind, left.schedule_id, left.tracked_at.uri) == ("job", None, "")


def test_what_is_at_work_or_live_is_not_continued(store: Store) -> None:
    run = claimed(store)
    request = request_of(store, run)
    live = store.runs.create(replace(run, id=store.new_id(), kind=RunKind.SESSION))
    for each, why in ((run, "has not ended: it is running"), (live, "live notebook session")):
        with pytest.raises(InputError, match=why):
            ask_again(store, each)
        with pytest.raises(InputError, match=why):
            ask_for_rest(store, each, request, run.options, queued=True)
    assert store.runs.continuing(run.id) == []
