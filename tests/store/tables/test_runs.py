"""Runs in the index: numbered, moved through their states once, found, and told to tracking."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from jupyter_mlops.domain.run import Progress, Run, RunFailure, RunKind, TrackedAt
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.store.db.schema import runs
from jupyter_mlops.store.files.processes import is_alive, this_process
from jupyter_mlops.store.store import Store
from store.conftest import NOON

AddRun = Callable[..., Run]
LATER = NOON + timedelta(seconds=90)


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_runs_are_numbered_from_one_whatever_number_they_say(store: Store, add_run: AddRun) -> None:
    assert [add_run().number, add_run().number, add_run().number] == [1, 2, 3]


def test_a_run_comes_back_as_it_was_put(store: Store, add_run: AddRun) -> None:
    run = add_run(
        kind="schedule",
        parameters={"rate": 0.5, "names": ["ä", "b"], "none": None, "deep": {"x": [1, True]}},
        metrics={"auc": 0.9},
        tags={"git.commit": "abc"},
        error=RunFailure("cell_error", "boom", 3, "train", "ValueError", "no"),
        progress=Progress(2, 5, "train"),
        output_path="runs/nb-1.ipynb",
        started_at=NOON,
        ended_at=LATER,
        schedule_id="s1",
    )
    assert store.runs.get(run.id) == run
    assert run.duration == 90
    assert run.created_at is not None
    assert run.created_at.tzinfo is not None


def test_a_run_is_found_by_id_number_or_number_as_text(store: Store, add_run: AddRun) -> None:
    run = add_run()
    assert store.runs.get(run.id) == store.runs.get(1) == store.runs.get("1") == run


@pytest.mark.parametrize("name", ["7", "no-such-id", "99999999999999999999", "", "²"])
def test_an_unknown_run_is_told_with_those_there_are(store: Store, add_run: AddRun, name: str) -> None:
    add_run()
    with pytest.raises(UnknownNameError, match="no run named") as caught:
        store.runs.get(name)
    assert "1" in caught.value.hint


def test_only_one_process_can_start_a_run(store: Store, add_run: AddRun) -> None:
    run = add_run()
    assert store.runs.start(run.id, now=NOON)
    assert not store.runs.start(run.id, now=LATER)
    started = store.runs.get(run.id)
    assert (started.status, started.started_at) == (Status.RUNNING, NOON)
    assert is_alive(started.pid, started.pid_started)


@pytest.mark.parametrize("last", [Status.COMPLETED, Status.FAILED, Status.CANCELED, Status.LOST])
def test_the_first_word_about_the_end_of_a_run_stands(store: Store, add_run: AddRun, last: Status) -> None:
    run = add_run()
    store.runs.start(run.id, now=NOON)
    error = RunFailure("cell_error", "boom")
    assert store.runs.finish(run.id, last, now=LATER, error=error)
    assert not store.runs.finish(run.id, Status.COMPLETED, now=LATER + timedelta(seconds=1))
    assert not store.runs.start(run.id, now=LATER)
    ended = store.runs.get(run.id)
    assert (ended.status, ended.ended_at, ended.error) == (last, LATER, error)


def test_metrics_are_merged(store: Store, add_run: AddRun) -> None:
    run = add_run(metrics={"a": 1.0, "b": 2.0})
    store.runs.add_metrics(run.id, {"b": 3.0, "c": 4.0}, now=NOON)
    assert store.runs.get(run.id).metrics == {"a": 1.0, "b": 3.0, "c": 4.0}


def test_tags_are_merged_as_kernel_engine_and_tracking_each_know_some(store: Store, add_run: AddRun) -> None:
    run = add_run(tags={"kernel_kind": "warm"})
    store.runs.update(run.id, tags={"git.commit": "abc"})
    store.runs.update(run.id, tags={"git.commit": "def"})
    assert store.runs.get(run.id).tags == {"kernel_kind": "warm", "git.commit": "def"}


def test_runs_are_listed_newest_first_of_one_notebook_and_so_many(store: Store, add_run: AddRun) -> None:
    for notebook in ("a.ipynb", "b.ipynb", "a.ipynb"):
        add_run(notebook=notebook)
    assert [run.number for run in store.runs.list()] == [3, 2, 1]
    assert [run.number for run in store.runs.list(notebook="a.ipynb")] == [3, 1]
    assert [run.number for run in store.runs.list(limit=1)] == [3]


def test_a_run_counts_its_executed_and_reused_steps(
    store: Store, add_run: AddRun, add_step_run: Callable[..., StepRun]
) -> None:
    run, other = add_run(), add_run()
    for status in (Status.COMPLETED, Status.FAILED, Status.REUSED):
        add_step_run(run_id=run.id, status=status)
    add_step_run(run_id=other.id, status=Status.REUSED)
    found = store.runs.get(run.id)
    assert (found.steps_executed, found.steps_reused) == (2, 1)


def test_each_change_of_state_is_told_to_tracking_in_its_own_transaction(store: Store, add_run: AddRun) -> None:
    run = add_run()
    store.runs.start(run.id, now=NOON)
    store.runs.update(run.id, progress=Progress(1, 2))
    store.runs.update(run.id, tags={"a": "b"}, told_at=NOON)
    store.runs.finish(run.id, Status.COMPLETED, now=LATER)
    store.runs.finish(run.id, Status.FAILED, now=LATER)
    assert [(message.kind, message.body) for message in store.outbox.take()] == [("run", {"id": run.id})] * 4


def test_a_job_whose_process_is_gone_is_lost_and_its_steps_with_it(
    store: Store, add_run: AddRun, add_step_run: Callable[..., StepRun]
) -> None:
    run = add_run(status=Status.RUNNING, pid=ended_process(), pid_started=1.0)
    step = add_step_run(run_id=run.id)
    done = add_step_run(run_id=run.id, status=Status.COMPLETED)
    assert [gone.id for gone in store.runs.reconcile(now=LATER)] == [run.id]
    found = store.runs.get(run.id)
    assert (found.status, found.ended_at) == (Status.LOST, LATER)
    assert found.error is not None
    assert found.error.cause == "runner_lost"
    assert store.steps.run(step.id).status is Status.LOST
    assert store.steps.run(done.id).status is Status.COMPLETED
    assert store.runs.reconcile(now=LATER) == []


def test_a_session_whose_kernel_is_gone_has_ended(store: Store, add_run: AddRun) -> None:
    run = add_run(kind="session", status=Status.RUNNING, pid=ended_process(), pid_started=1.0, tags={"a": "b"})
    store.runs.reconcile(now=LATER)
    found = store.runs.get(run.id)
    assert (found.status, found.kernel_gone, found.tags) == (Status.COMPLETED, True, {"a": "b"})


def test_names_of_files_that_were_edited_may_hold_anything(store: Store, add_run: AddRun) -> None:
    run = add_run(kind=RunKind.SCHEDULE)
    store.runs.update(run.id, changed_sources=("a, b.py", 'c"; d.py'), in_shared_process=True)
    found = store.runs.get(run.id)
    assert (found.changed_sources, found.in_shared_process) == (("a, b.py", 'c"; d.py'), True)
    assert found.kind is RunKind.SCHEDULE
    assert (found.tracked_at, found.host, found.stop, found.kernel_gone) == (TrackedAt(), None, "", False)


def test_a_run_whose_process_lives_is_left_alone(store: Store, add_run: AddRun) -> None:
    pid, started = this_process()
    alive = add_run(status=Status.RUNNING, pid=pid, pid_started=started)
    pending = add_run()
    assert store.runs.reconcile(now=LATER) == []
    assert store.runs.get(alive.id).status is Status.RUNNING
    assert store.runs.get(pending.id).status is Status.PENDING


def test_a_pid_that_came_again_is_not_the_process_that_was() -> None:
    pid, started = this_process()
    assert is_alive(pid, started)
    assert not is_alive(pid, started - 3600)
    assert not is_alive(None, None)
    assert not is_alive(ended_process(), None)


def test_two_runs_cannot_have_one_number(store: Store, add_run: AddRun) -> None:
    add_run()
    second = add_run()
    with pytest.raises(sa.exc.IntegrityError), store.index.write() as connection:
        connection.execute(runs.update().where(runs.c.id == second.id).values(number=1))


def test_a_run_with_the_id_of_another_is_refused_and_the_other_stays(store: Store, add_run: AddRun) -> None:
    run = add_run()
    with pytest.raises(sa.exc.IntegrityError):
        store.runs.create(replace(run, notebook="other.ipynb"))
    assert store.runs.get(run.id).notebook == "nb.ipynb"
