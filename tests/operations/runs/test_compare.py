"""Two runs side by side."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.operations.runs.compare import Comparison, StepSide, compare_runs
from jupyter_mlops.store.store import Store

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def add_run(store: Store, steps: list[tuple[str, Status, str]] | None = None, **values: Any) -> Run:
    """A completed run of `nb.ipynb`; each of `steps` is a name, a status and a version's digest."""
    fixed = {"kind": "job", "notebook": "nb.ipynb", "status": Status.COMPLETED, "created_at": NOON}
    run = store.runs.create(Run(**{"id": store.new_id(), "number": 0, **fixed, **values}))
    for position, (name, status, digest) in enumerate(steps or []):
        version = store.steps.version("nb.ipynb", name, digest, f"# {digest}", now=NOON)
        store.steps.start_run(
            StepRun(
                id=store.new_id(),
                run_id=run.id,
                notebook="nb.ipynb",
                step=name,
                version=version.number,
                version_digest=digest,
                position=position,
                status=status,
                duration=0.5,
                started_at=NOON + timedelta(seconds=position),
            )
        )
    return store.runs.get(run.id)


def reused(side: StepSide | None) -> bool:
    assert side is not None
    return side.reused


def version(side: StepSide | None) -> int:
    assert side is not None
    return side.version


@dataclass
class Case:
    """Parameters of two runs, and (name, differs, missing) of each pair that should come of them."""

    a: dict[str, Any]
    b: dict[str, Any]
    pairs: list[tuple[str, bool, str]] = field(default_factory=list)


@pytest.mark.parametrize(
    "case",
    [
        Case({"x": 1}, {"x": 1}, [("x", False, "")]),
        Case({"x": 1}, {"x": 2}, [("x", True, "")]),
        Case({"x": 1}, {"x": 1.0}, [("x", True, "")]),
        Case({"x": 1}, {"x": True}, [("x", True, "")]),
        Case({"x": None}, {}, [("x", True, "b")]),
        Case({}, {"x": [1, 2]}, [("x", True, "a")]),
        Case({"x": [1, 2], "y": "a"}, {"y": "a", "x": [1, 2]}, [("x", False, ""), ("y", False, "")]),
    ],
)
def test_parameters_are_equal_only_with_the_same_type_and_value(store: Store, case: Case) -> None:
    add_run(store, parameters=case.a)
    add_run(store, parameters=case.b)
    comparison = compare_runs(store, 1, 2)
    assert [(pair.name, pair.differs, pair.missing) for pair in comparison.parameters] == case.pairs


def test_a_metric_has_a_difference_where_both_runs_have_it(store: Store) -> None:
    add_run(store, metrics={"auc": 0.9, "recall": 0.5})
    add_run(store, metrics={"auc": 0.95, "brier": 0.1})
    found = {metric.name: metric for metric in compare_runs(store, 1, 2).metrics}
    assert found["auc"].difference == pytest.approx(0.05)
    assert (found["recall"].a, found["recall"].b, found["recall"].difference) == (0.5, None, None)
    assert (found["brier"].a, found["brier"].b, found["brier"].difference) == (None, 0.1, None)


def test_steps_stand_in_pipeline_order_with_what_became_of_each(store: Store) -> None:
    add_run(store, [("load", Status.COMPLETED, "l1"), ("train", Status.COMPLETED, "t1")])
    add_run(
        store, [("load", Status.REUSED, "l1"), ("train", Status.COMPLETED, "t2"), ("evaluate", Status.FAILED, "e1")]
    )
    load, train, evaluate = compare_runs(store, 1, 2).steps
    assert (load.name, train.name, evaluate.name) == ("load", "train", "evaluate")
    assert (reused(load.a), reused(load.b), load.same_version) == (False, True, True)
    assert (version(train.a), version(train.b), train.same_version) == (1, 2, False)
    assert (evaluate.a, version(evaluate.b), evaluate.same_version) == (None, 1, False)


def test_of_a_step_run_often_in_a_session_the_newest_counts(store: Store) -> None:
    add_run(store, [("load", Status.COMPLETED, "l1"), ("load", Status.REUSED, "l2")])
    add_run(store)
    (load,) = compare_runs(store, 1, 2).steps
    assert (reused(load.a), version(load.a)) == (True, 2)


def test_runs_are_found_by_id_too_and_an_unknown_one_is_an_error(store: Store) -> None:
    run = add_run(store)
    assert compare_runs(store, run.id, "1").a == run
    with pytest.raises(UnknownNameError, match="no run named '9'"):
        compare_runs(store, 1, 9)


def test_a_comparison_can_go_over_the_wire(store: Store) -> None:
    add_run(store, [("load", Status.COMPLETED, "l1")], parameters={"x": 1}, metrics={"auc": 0.9})
    add_run(store, [("load", Status.REUSED, "l1")], parameters={"x": 2}, metrics={"auc": 0.8})
    wire = to_wire(compare_runs(store, 1, 2))
    assert wire["steps"][0]["b"]["status"] == "reused"
    assert wire["a"]["number"] == 1


def test_the_table_names_differences_and_equals(store: Store) -> None:
    code = [("load", Status.COMPLETED, "l1"), ("train", Status.COMPLETED, "t1")]
    changed = [("load", Status.REUSED, "l1"), ("train", Status.COMPLETED, "t2")]
    add_run(store, code, parameters={"n": 3, "k": "[b]"})
    add_run(store, changed, parameters={"n": 5, "k": "[b]"})
    text = rendered(compare_runs(store, 1, 2))
    rows = [line.split() for line in text.splitlines()]
    assert ["n", "3", "5", "+2"] in rows
    assert ["k", "[b]", "[b]"] in rows
    assert "reused" in text
    assert "code: v1 → v2" in text


def rendered(comparison: Comparison) -> str:
    from rich.console import Console

    from jupyter_mlops.verbs.runs.compare_view import comparison_table

    console = Console(width=100, record=True, file=io.StringIO())
    console.print(comparison_table(comparison))
    return console.export_text()
