"""Jobs listed, looked at, asked for again and forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from keeping import add_result
from notebooks import code, write_notebook

from jupyter_mlops.domain.run import Run, RunFailure, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.jobs.detached import log_path
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import enqueue
from jupyter_mlops.operations.runs import jobs
from jupyter_mlops.operations.runs.jobs import list_jobs, remove_job, retry_job, show_job
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store for whose queue no worker is started."""
    monkeypatch.setattr(jobs, "ensure_worker", lambda _store: None)
    with Store.open(tmp_path) as opened:
        yield opened


def ask(store: Store, name: str = "a.ipynb", **options: object) -> Run:
    path = write_notebook(store.root / name, code("n = 1", "parameters"))
    request = check_request(path, {"n": 5})
    return enqueue(store, request, kind="job", now=store.now(), options=RunOptions(**options), priority=2)  # type: ignore[arg-type]


def end(store: Store, run: Run, status: Status = Status.FAILED) -> Run:
    store.runs.start(run.id, now=store.now())
    error = None if status is Status.COMPLETED else RunFailure("cell_error", "boom")
    store.runs.finish(run.id, status, now=store.now(), error=error)
    return store.runs.get(run.id)


def test_jobs_are_listed_newest_first_with_workers_and_what_waits(store: Store) -> None:
    first, second = ask(store), ask(store, "b.ipynb")
    store.runs.create(replace(first, id=store.new_id(), kind="session"))
    end(store, first)
    pid, started = processes.this_process()
    now = store.now()
    here = Worker("w", processes.this_host(), pid, started, 2, now, now)
    store.queue.enter(here)
    found = list_jobs(store)
    assert [run.number for run in found.jobs] == [second.number, first.number]
    assert (found.workers, found.waiting) == ((here,), 1)
    assert [run.id for run in list_jobs(store, status=Status.FAILED).jobs] == [first.id]
    assert [run.id for run in list_jobs(store, notebook="b.ipynb").jobs] == [second.id]
    assert len(list_jobs(store, limit=1).jobs) == 1


def test_a_run_asked_for_again_is_as_it_was_and_continues_it(store: Store) -> None:
    run = end(store, ask(store, memory=100, most_at_once=1))
    store.runs.update(run.id, host="elsewhere", changed_sources=("a, b.py",), stop="please", asked_as="nightly")
    store.runs.update(run.id, tags={"kernel_kind": "ordinary", "kernel_why": "none is alive", "note": "kept"})
    again = retry_job(store, run.number)
    told = (again.host, again.changed_sources, again.stop, again.in_shared_process)
    assert told == (None, (), "", False), "where it was executed, and from what, is no matter of the new one"
    assert (again.tags, again.asked_as, again.kernel_name) == ({"note": "kept"}, "nightly", run.kernel_name)
    assert (again.status, again.resumes, again.attempt, again.error) == (Status.PENDING, run.id, 0, None)
    for name in ("notebook", "notebook_object", "parameters", "options", "priority", "kind"):
        assert getattr(again, name) == getattr(run, name), name
    assert store.queue.waiting() == 1
    assert (show_job(store, run.id).resumed_by, show_job(store, again.id).resumes) == (again.number, run.number)


def test_only_what_has_ended_is_asked_for_again(store: Store) -> None:
    with pytest.raises(InputError, match="has not ended"):
        retry_job(store, ask(store).number)
    with pytest.raises(UnknownNameError):
        retry_job(store, 77)


def test_a_forgotten_run_leaves_no_record_log_or_journal(store: Store) -> None:
    run, other = end(store, ask(store)), ask(store)
    log_path(store, run).parent.mkdir(exist_ok=True)
    log_path(store, run).write_text("said")
    journal = store.journals.open(run.id)
    journal.write("started")
    journal.close()
    with pytest.raises(InputError, match="has not ended"):
        remove_job(store, other.number)
    assert remove_job(store, run.number).id == run.id
    assert [each.id for each in store.runs.list()] == [other.id]
    assert not log_path(store, run).exists()
    assert list(store.journals.ids()) == []


def test_a_run_that_something_needs_is_not_forgotten(store: Store) -> None:
    continued = end(store, ask(store))
    again = end(store, retry_job(store, continued.id), Status.COMPLETED)
    with pytest.raises(InputError, match=f"run {again.number} continues it"):
        remove_job(store, continued.id)
    made = add_result(store, "train", run_id=again.id)
    with pytest.raises(InputError, match="its result of step 'train' is still needed"):
        remove_job(store, again.id)
    reusing = end(store, ask(store), Status.COMPLETED)
    add_result(store, "train", run_id=reusing.id, status=Status.REUSED, result=None, reused_from=made.id)
    with pytest.raises(InputError, match=f"run {reusing.number} reuses its result of step"):
        remove_job(store, again.id)
