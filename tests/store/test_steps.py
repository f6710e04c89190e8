"""Step versions and step runs in the index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepInput, StepRun
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.store.store import Store

from .conftest import NOON

AddStepRun = Callable[..., StepRun]


def test_a_new_content_is_a_new_version_and_a_known_one_is_not(store: Store) -> None:
    def number(step: str, digest: str, notebook: str = "nb.ipynb") -> int:
        return store.steps.version(notebook, step, digest, f"# {digest}", now=NOON).number

    assert [number("load", "a"), number("load", "b"), number("load", "a")] == [1, 2, 1]
    assert number("train", "b") == 1
    assert number("load", "b", "other.ipynb") == 1
    assert [version.number for version in store.steps.versions("load", "nb.ipynb")] == [1, 2]


def test_a_version_keeps_the_source_it_was_first_seen_with(store: Store) -> None:
    store.steps.version("nb.ipynb", "load", "a", "x = 1", now=NOON)
    again = store.steps.version("nb.ipynb", "load", "a", "x = 1  # why", now=NOON + timedelta(days=1))
    assert (again.source, again.created_at) == ("x = 1", NOON)


def test_versions_of_an_unknown_step_are_told_with_a_name_that_is_meant(store: Store) -> None:
    store.steps.version("nb.ipynb", "train", "a", "x", now=NOON)
    with pytest.raises(UnknownNameError) as caught:
        store.steps.versions("trian")
    assert caught.value.hint == "Did you mean 'train'?"


def test_names_are_those_of_the_notebook(store: Store) -> None:
    store.steps.version("a.ipynb", "train", "a", "x", now=NOON)
    store.steps.version("b.ipynb", "load", "a", "x", now=NOON)
    assert sorted(store.steps.names()) == ["load", "train"]
    assert store.steps.names("a.ipynb") == ["train"]


def test_a_step_run_comes_back_as_it_was_put(store: Store, add_step_run: AddStepRun) -> None:
    made = add_step_run(
        inputs={"df": StepInput("d", "load"), "k": StepInput("e")},
        outputs={"model": "m"},
        ingredients={"code": "c"},
        conditions=Conditions({"/data.csv": "f"}, {"numpy": "g"}),
        metrics={"auc": 0.5},
        extra={"any": [1]},
        duration=0.25,
        cell_id="abc",
    )
    assert store.steps.run(made.id) == made


def test_an_update_sets_only_what_it_names(store: Store, add_step_run: AddStepRun) -> None:
    made = add_step_run(metrics={"auc": 0.5})
    store.steps.update_run(made.id, status=Status.COMPLETED, conditions=Conditions({"/a": "b"}))
    found = store.steps.run(made.id)
    assert (found.status, found.conditions.files, found.metrics) == (Status.COMPLETED, {"/a": "b"}, {"auc": 0.5})


def test_starts_and_told_updates_go_to_tracking(store: Store, add_step_run: AddStepRun) -> None:
    made = add_step_run()
    before = len(store.outbox.take())
    store.steps.update_run(made.id, result="r")
    assert len(store.outbox.take()) == before
    store.steps.update_run(made.id, status=Status.COMPLETED, told_at=NOON)
    message = store.outbox.take()[-1]
    assert (message.kind, message.body, message.run_id) == ("step", {"id": made.id}, made.run_id)


def test_ending_the_open_steps_of_a_run_leaves_the_others(
    store: Store, add_run: Callable[..., Run], add_step_run: AddStepRun
) -> None:
    run = add_run()
    running = add_step_run(run_id=run.id)
    done = add_step_run(run_id=run.id, status=Status.COMPLETED)
    elsewhere = add_step_run()
    store.steps.end_open(run.id, Status.FAILED, "the kernel died", now=NOON)
    ended = store.steps.run(running.id)
    assert (ended.status, ended.error, ended.ended_at) == (Status.FAILED, "the kernel died", NOON)
    assert store.steps.run(done.id).status is Status.COMPLETED
    assert store.steps.run(elsewhere.id).status is Status.RUNNING


def test_step_runs_are_listed_newest_first_and_by_what_is_asked(store: Store, add_step_run: AddStepRun) -> None:
    first = add_step_run(step="load")
    second = add_step_run(run_id=first.run_id, position=2)
    third = add_step_run(started_at=NOON + timedelta(seconds=1), notebook="other.ipynb")
    assert [run.id for run in store.steps.runs()] == [third.id, second.id, first.id]
    assert [run.id for run in store.steps.runs(run_id=first.run_id)] == [second.id, first.id]
    assert [run.id for run in store.steps.runs(step="train", notebook="nb.ipynb")] == [second.id]
    assert [run.id for run in store.steps.runs(limit=1)] == [third.id]


@pytest.mark.parametrize(
    ("values", "offered"),
    [
        ({}, True),
        ({"status": Status.FAILED}, False),
        ({"status": Status.CANCELED}, False),
        ({"status": Status.LOST}, False),
        ({"status": Status.RUNNING}, False),
        ({"status": Status.REUSED}, False),
        ({"unrepeatable": "reads the clock"}, False),
        ({"result": None}, False),
        ({"key": "other"}, False),
    ],
)
def test_only_a_completed_repeatable_kept_result_of_the_key_is_offered(
    store: Store, add_step_run: AddStepRun, values: dict[str, object], offered: bool
) -> None:
    add_step_run(**({"key": "k", "status": Status.COMPLETED, "result": "r"} | values))
    assert bool(store.steps.candidates("k")) is offered
