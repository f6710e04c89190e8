"""Step versions and step runs in the index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepInput, StepRun
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.store.db.rows import OTHER_VERSION
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.steps import UNSAVED
from store.conftest import NOON

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


def test_a_cell_that_no_one_named_is_not_told_of(store: Store, add_step_run: AddStepRun) -> None:
    made = add_step_run()
    before = len(store.outbox.take())
    unnamed = replace(made, id=store.new_id(), step="cell@abc")
    store.steps.record(unnamed, replace(made, status=Status.COMPLETED), told_at=NOON)
    store.steps.journal([(replace(unnamed, id=store.new_id()), "x = 1")], now=NOON)
    assert [message.body["id"] for message in store.outbox.take()[before:]] == [made.id]


def test_the_last_run_of_each_step_is_taken_apart_when_it_is_wanted(store: Store, add_step_run: AddStepRun) -> None:
    add_step_run(step="load", status=Status.COMPLETED)
    newest = add_step_run(step="load", status=Status.FAILED)
    train = add_step_run(step="train", status=Status.COMPLETED)
    add_step_run(step="other", notebook="other.ipynb")
    last = store.steps.last_by_need("nb.ipynb")
    later = add_step_run(step="train", status=Status.COMPLETED)
    assert (last("load"), last("train"), last("other")) == (newest, train, None)
    assert store.steps.last_by_need("nb.ipynb")("train") == later


def test_ending_the_open_steps_of_a_run_leaves_the_others(
    store: Store, add_run: Callable[..., Run], add_step_run: AddStepRun
) -> None:
    run = add_run()
    running = add_step_run(run_id=run.id)
    done = add_step_run(run_id=run.id, status=Status.COMPLETED)
    elsewhere = add_step_run()
    store.runs.finish(run.id, Status.FAILED, now=NOON, steps=(Status.FAILED, "the kernel died"))
    ended = store.steps.run(running.id)
    assert (ended.status, ended.error, ended.ended_at) == (Status.FAILED, "the kernel died", NOON)
    assert store.steps.run(done.id).status is Status.COMPLETED
    assert store.steps.run(elsewhere.id).status is Status.RUNNING


def test_an_open_step_whose_cell_completed_has_completed_and_its_result_was_not_kept(
    store: Store, add_run: Callable[..., Run], add_step_run: AddStepRun
) -> None:
    run = add_run()
    well = add_step_run(run_id=run.id, cell_id="a")
    canceled = add_step_run(run_id=run.id, cell_id="b")
    without_id = add_step_run(run_id=run.id)
    steps = (Status.CANCELED, "Canceled.")
    store.runs.finish(run.id, Status.CANCELED, now=NOON, steps=steps, ended_well={"a": 2.5, "None": 1.0})
    ended = store.steps.run(well.id)
    assert (ended.status, ended.error, ended.duration, ended.ended_at) == (Status.COMPLETED, "", 2.5, NOON)
    assert ended.unrepeatable == UNSAVED
    assert not store.steps.candidates(well.key)
    for other in (canceled, without_id):
        assert store.steps.run(other.id).status is Status.CANCELED


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
        ({"unrepeatable": Reasons.of([Reason(ReasonCode.CLOCK)])}, False),
        ({"result": None}, False),
        ({"key": "other"}, False),
    ],
)
def test_only_a_completed_repeatable_kept_result_of_the_key_is_offered(
    store: Store, add_step_run: AddStepRun, values: dict[str, object], offered: bool
) -> None:
    add_step_run(**({"key": "k", "status": Status.COMPLETED, "result": "r"} | values))
    assert bool(store.steps.candidates("k")) is offered


def test_the_newest_is_the_one_recorded_last_also_when_the_clock_was_set_back(
    store: Store, add_step_run: AddStepRun
) -> None:
    before = add_step_run(key="k", status=Status.COMPLETED, result="r")
    after = add_step_run(key="k", status=Status.COMPLETED, result="r", started_at=NOON - timedelta(days=1))
    assert [run.id for run in store.steps.candidates("k")] == [after.id, before.id]
    assert [run.id for run in store.steps.runs(step="train")] == [after.id, before.id]


def test_recording_a_known_step_run_again_replaces_it_where_it_stands(store: Store, add_step_run: AddStepRun) -> None:
    first = add_step_run(known={"df": {"digest": "d"}})
    second = add_step_run()
    ended = replace(first, status=Status.COMPLETED, files={"/a": "b"}, effects={"pandas": "x"}, ended_at=NOON)
    told = store.outbox.size()
    store.steps.record(ended)
    assert store.outbox.size() == told
    assert store.steps.run(first.id) == ended
    assert [run.id for run in store.steps.runs()] == [second.id, first.id]


def test_step_runs_recorded_at_once_are_told_in_their_order(store: Store, add_step_run: AddStepRun) -> None:
    made = add_step_run()
    others = [replace(made, id=store.new_id(), position=number, status=Status.REUSED) for number in (2, 3)]
    store.steps.record(*others, told_at=NOON)
    assert [message.body["id"] for message in store.outbox.take()[-2:]] == [run.id for run in others]
    assert [store.steps.run(run.id) for run in others] == others


def test_step_runs_journaled_at_once_get_the_versions_of_their_contents(store: Store, add_step_run: AddStepRun) -> None:
    made = add_step_run(step="load", version_digest="a")
    store.steps.version("nb.ipynb", "load", "known", "k", now=NOON)

    def another(step: str, digest: str, notebook: str = "nb.ipynb") -> StepRun:
        return replace(made, id=store.new_id(), step=step, version_digest=digest, notebook=notebook, version=0)

    runs = [
        *(another("load", digest) for digest in ("new", "known", "new", "newer")),
        another("train", "known"),
        another("load", "known", "other.ipynb"),
    ]
    store.steps.journal([(run, f"# {run.version_digest}") for run in runs], now=NOON)
    assert [store.steps.run(run.id).version for run in runs] == [2, 1, 2, 3, 1, 1]
    assert store.steps.source(store.steps.run(runs[2].id)) == "# new"


def test_a_recording_that_fails_leaves_nothing_of_it(store: Store, add_step_run: AddStepRun) -> None:
    made = add_step_run()
    good, bad = replace(made, id="good"), replace(made, id="bad", run_id="no such run")
    with pytest.raises(sa.exc.IntegrityError):
        store.steps.record(good, bad)
    assert [run.id for run in store.steps.runs()] == [made.id]


def test_the_newest_completed_run_of_each_version_is_given_by_step(store: Store, add_step_run: AddStepRun) -> None:
    def ran(step: str, digest: str, **values: object) -> str:
        return add_step_run(step=step, version_digest=digest, **({"status": Status.COMPLETED} | values)).id

    ran("load", "a")
    old, new = ran("load", "a"), ran("load", "b")
    ran("load", "a", status=Status.FAILED)
    train = ran("train", "c")
    ran("load", "z", notebook="other.ipynb")
    found = store.steps.newest("nb.ipynb")
    assert {step: [run.id for run in runs] for step, runs in found.items()} == {"load": [new, old], "train": [train]}
    only = store.steps.newest("nb.ipynb", digests=["a", "none"])
    assert {step: [run.id for run in runs] for step, runs in only.items()} == {"load": [old]}


def test_a_result_under_conditions_of_another_version_is_read_and_not_offered(
    store: Store, add_step_run: AddStepRun
) -> None:
    made = add_step_run(key="k", status=Status.COMPLETED, result="r", conditions=Conditions({"/a": "d"}))
    with store.index.write() as connection:
        connection.exec_driver_sql("""update step_runs set conditions = '{"files": {"/a": "d"}, "moon": "full"}'""")
    assert store.steps.candidates("k") == []
    found = store.steps.run(made.id)
    assert found.conditions.files == {"/a": "d"}
    assert found.unrepeatable == OTHER_VERSION


def test_a_list_tells_what_people_know_a_step_by_and_what_a_reused_result_had_taken(
    store: Store, add_step_run: AddStepRun
) -> None:
    store.steps.version("nb.ipynb", "prices@0a1b2c3d", "d", "# prices\n\ntotal = 1\nprint(total)", now=NOON)
    step = {"step": "prices@0a1b2c3d", "version": 1, "version_digest": "d"}
    ran = add_step_run(**step, status=Status.COMPLETED, duration=3.0)
    reused = add_step_run(**step, status=Status.REUSED, duration=0.008, reused_from=ran.id)
    named = add_step_run(step="load")
    found = {run.id: (run.label, run.duration, run.computed) for run in store.steps.listed()}
    assert found[ran.id] == ("total = 1", 3.0, None)
    assert found[reused.id] == ("total = 1", 0.008, 3.0)
    assert found[named.id][0] == "load"
