"""Runs that did not complete, continued by the queue."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from notebooks import code, write_notebook

from jupyter_mlops.domain.run import Run, RunFailure, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import enqueue
from jupyter_mlops.operations.runs import resume
from jupyter_mlops.operations.runs.resume import resume_job
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store for whose queue no worker is started."""
    monkeypatch.setattr(resume, "ensure_worker", lambda _store: None)
    with Store.open(tmp_path) as opened:
        yield opened


def ask(store: Store, options: RunOptions | None = None) -> Run:
    path = write_notebook(store.root / "a.ipynb", code("n = 1", "parameters"), code("import model\nmodel.fit(n)"))
    (store.root / "model.py").write_text("def fit(n): raise ValueError(n)\n")
    request = check_request(path, {"n": 5})
    return enqueue(store, request, kind="schedule", now=store.now(), options=options, priority=2)


def end(store: Store, run: Run, status: Status = Status.FAILED) -> Run:
    store.runs.start(run.id, now=store.now())
    error = None if status is Status.COMPLETED else RunFailure("cell_error", "boom")
    store.runs.finish(run.id, status, now=store.now(), error=error)
    return store.runs.get(run.id)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELED, Status.LOST])
def test_it_has_the_notebook_and_the_values_of_the_run_it_continues(store: Store, status: Status) -> None:
    run = end(store, ask(store, RunOptions(memory=100, only="model", output="out.ipynb")), status)
    write_notebook(store.root / "a.ipynb", code("edited = True"))
    made = resume_job(store, run.number)
    assert (made.status, made.kind, made.resumes, made.pid) == (Status.PENDING, "job", run.id, None)
    for name in ("notebook", "notebook_object", "parameters", "priority"):
        assert getattr(made, name) == getattr(run, name), name
    assert made.options == replace(run.options, only=None, output=None)
    assert made.options.given == {"n": 5}
    assert store.queue.waiting() == 1


def test_modules_are_those_of_now_as_in_a_run_that_is_continued_at_once(store: Store) -> None:
    run = end(store, ask(store))
    (store.root / "model.py").write_text("def fit(n): return n\n")
    made = resume_job(store, run.id)
    assert made.options.modules.keys() == run.options.modules.keys() == {"model.py"}
    assert made.options.modules != run.options.modules


def test_it_is_asked_for_again_only_after_its_end(store: Store) -> None:
    run = end(store, ask(store))
    made = resume_job(store, run.id)
    with pytest.raises(InputError, match=f"run {made.number} is pending") as refused:
        resume_job(store, run.id)
    assert f"cancel {made.number}" in refused.value.hint
    end(store, made)
    assert resume_job(store, made.id).resumes == made.id
    assert resume_job(store, run.id).resumes == run.id


def test_of_two_that_ask_at_the_same_moment_one_is_told_of_the_other(store: Store) -> None:
    run = end(store, ask(store))
    start = threading.Barrier(4)

    def again(_: int) -> str:
        start.wait()
        try:
            return resume_job(store, run.id).id
        except InputError as error:
            return error.message

    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(again, range(4)))
    (made,) = store.runs.continuing(run.id)
    assert sorted(told) == sorted([made.id, *[f"Run 1 is already continued: run 2 is {made.status}."] * 3])
    with pytest.raises(InputError, match="already continued"):
        resume.resume(store, run)


def test_what_is_at_work_completed_or_live_is_not_continued(store: Store) -> None:
    run = ask(store)
    pid, pid_started = processes.this_process()
    live = store.runs.create(replace(run, id=store.new_id(), kind="session", pid=pid, pid_started=pid_started))
    for number, why in ((run.number, "is pending"), (live.number, "live notebook")):
        with pytest.raises(InputError, match=why):
            resume_job(store, number)
    end(store, run, Status.COMPLETED)
    with pytest.raises(InputError, match="nothing to continue"):
        resume_job(store, run.number)
    assert [each.id for each in store.runs.list()] == [live.id, run.id]


def test_a_run_whose_notebook_was_not_kept_says_so(store: Store) -> None:
    run = end(store, store.runs.create(replace(ask(store), id=store.new_id(), notebook_object=None)))
    with pytest.raises(InputError, match=f"The notebook of run {run.number} was not stored"):
        resume_job(store, run.number)
