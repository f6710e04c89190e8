"""What is newest is found by index, in either database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables import newest
from store.conftest import NOON

AddStepRun = Callable[..., StepRun]
DONE = {"status": Status.COMPLETED, "result": "r"}


def test_the_last_of_some_steps_and_of_all_notebooks(store: Store, add_step_run: AddStepRun) -> None:
    add_step_run(step="load", **DONE)
    load = add_step_run(step="load", status=Status.FAILED)
    train = add_step_run(step="train", **DONE)
    other = add_step_run(step="load", notebook="other.ipynb", **DONE)
    assert store.steps.last("nb.ipynb") == {"load": load, "train": train}
    assert store.steps.last("nb.ipynb", ["load", "none"]) == {"load": load}
    assert store.steps.last("none.ipynb") == {}
    assert store.steps.last_everywhere() == [other, train, load]


def test_the_completed_one_of_a_step_is_given_whatever_came_after(store: Store, add_step_run: AddStepRun) -> None:
    done = add_step_run(step="load", version_digest="old", **DONE)
    add_step_run(step="load", status=Status.REUSED)
    add_step_run(step="train", status=Status.FAILED)
    assert store.steps.completed("nb.ipynb", ["load", "train"]) == {"load": done}


def test_one_content_under_two_names_is_found_under_both(store: Store, add_step_run: AddStepRun) -> None:
    runs = {name: add_step_run(step=name, version_digest="same", **DONE) for name in ("load", "read", "take")}
    found = store.steps.newest("nb.ipynb", ["same"])
    assert found == {name: [run] for name, run in runs.items()}


def test_the_runs_of_a_step_in_all_notebooks_stand_in_their_order(store: Store, add_step_run: AddStepRun) -> None:
    made = [add_step_run(step="load", notebook=f"{name}.ipynb") for name in "abbaab"]
    add_step_run(step="train", notebook="a.ipynb")
    assert store.steps.runs(step="load", limit=4) == made[:1:-1]
    assert store.steps.runs(step="load", limit=2, after=3) == [made[2], made[1]]
    assert store.steps.runs(step="load") == made[::-1]


def test_versions_may_be_the_newest_or_some(store: Store) -> None:
    for digest in "abcd":
        store.steps.version("nb.ipynb", "load", digest, digest, now=NOON)
    store.steps.version("other.ipynb", "load", "z", "z", now=NOON)
    numbers = [(each.notebook, each.number) for each in store.steps.versions("load", limit=2)]
    assert numbers == [("nb.ipynb", 3), ("nb.ipynb", 4), ("other.ipynb", 1)]
    assert [each.source for each in store.steps.versions("load", "nb.ipynb", numbers=(2, 4))] == ["b", "d"]


def test_what_a_version_computed_is_the_newest_that_is_kept(store: Store, add_step_run: AddStepRun) -> None:
    version = store.steps.version("nb.ipynb", "load", "d", "x = 1", now=NOON)
    kept = add_step_run(step="load", version_digest="d", **DONE)
    add_step_run(step="load", version_digest="d", status=Status.COMPLETED)
    add_step_run(step="load", version_digest="d", status=Status.REUSED, result="r")
    assert store.steps.computed(version) == kept


def test_runs_are_listed_by_what_they_are(store: Store, add_run: Callable[..., Run]) -> None:
    job, session = add_run(status=Status.FAILED), add_run(kind="session", status=Status.FAILED)
    again = add_run(status=Status.LOST, resumes=job.id)
    assert store.runs.list(kinds=("job",)) == [again, job]
    assert store.runs.list(status=Status.FAILED) == [session, job]
    assert store.runs.list(kinds=("job",), status=Status.FAILED, before=3, limit=5) == [job]
    assert store.runs.numbers([job.id, again.id, "none"]) == {job.id: 1, again.id: 3}
    assert store.runs.unfinished() == again
    add_run(status=Status.COMPLETED, resumes=again.id)
    assert store.runs.unfinished() is None


@pytest.mark.parametrize(
    "statement",
    ["LAST", "LAST_OF", "COMPLETED_OF", "OF_DIGESTS", "OF_VERSIONS", "EVERYWHERE", "NAMES", "NOTEBOOKS_WITH"],
)
def test_no_table_of_the_record_is_read_from_end_to_end(store: Store, add_step_run: AddStepRun, statement: str) -> None:
    add_step_run()
    values: dict[str, Any] = {"in_notebook": "nb.ipynb", "of_steps": "[]", "of_digests": "[]", "of_step": "load"}
    with store.index.read() as connection:
        dialect = connection.dialect.name
        made = getattr(newest, statement).compile(dialect=connection.dialect, compile_kwargs={"literal_binds": False})
        if dialect == "postgresql":
            connection.exec_driver_sql("set local enable_seqscan = off")
            connection.exec_driver_sql("set local enable_bitmapscan = off")
        explain = "explain query plan" if dialect == "sqlite" else "explain"
        given = {name: values.get(name, value) for name, value in made.params.items()}
        text = str(made)
        if made.positional:
            plan = connection.exec_driver_sql(
                f"{explain} {text}", tuple(given[name] for name in made.positiontup or ())
            )
        else:
            plan = connection.exec_driver_sql(f"{explain} {text}", given)
        lines = [str(row[-1]) for row in plan]
    of_record = [line for line in lines if "step_runs" in line or "recorded" in line or "step_versions" in line]
    assert of_record
    assert not [line for line in of_record if line.startswith("SCAN") or "Seq Scan" in line], "\n".join(lines)


def test_the_condition_of_a_partial_index_is_met_word_by_word() -> None:
    """A status that is bound to a parameter would not do for SQLite."""
    assert "recorded.status = 'completed'" in str(
        newest.COMPLETED_OF.compile(dialect=sa.create_engine("sqlite://").dialect)
    )
