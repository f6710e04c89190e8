"""Why a step ran: the first difference, told concretely, and the chain of what was behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from verbs.projects import NOON, add_run, add_step

from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.plan import Forecast
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.reason_text import sentence
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepInput, StepRun
from jupyter_mlops.operations.steps import plan
from jupyter_mlops.operations.steps.why import Cause, code_diff, why_ran, why_would
from jupyter_mlops.store import open_store
from jupyter_mlops.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as store:
        yield store


class Record:
    """Adds step runs one after another, a minute apart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._minute = 0

    def __call__(self, step: str, code: str = "x = 1", run: dict[str, Any] | None = None, **values: Any) -> StepRun:
        self._minute += 1
        values = {"started_at": NOON + timedelta(minutes=self._minute), "position": self._minute, **values}
        values.setdefault("ingredients", {}).setdefault("code", code)
        return add_step(self._store, add_run(self._store, **(run or {})), step, code, **values)


@pytest.fixture
def record(store: Store) -> Record:
    return Record(store)


def newest(store: Store, step: str) -> Cause:
    cause = why_ran(store, step, "nb.ipynb")[0].cause
    assert cause is not None
    return cause


def test_a_first_run_and_a_reuse_have_no_cause(store: Store, record: Record) -> None:
    first = record("train")
    record("train", status=Status.REUSED, reused_from=first.id)
    assert [told.cause for told in why_ran(store, "train")] == [None, None]


def test_code_that_changed_is_shown_as_a_diff(store: Store, record: Record) -> None:
    record("train", "x = 1\ny = 2")
    record("train", "x = 1\ny = 3")
    cause = newest(store, "train")
    assert sentence(cause.reason) == "its code changed"
    assert cause.is_diff
    assert cause.detail[:2] == ("--- train v1", "+++ train v2")
    assert {"-y = 2", "+y = 3"} <= set(cause.detail)


def test_an_input_is_followed_to_the_first_cause(store: Store, record: Record) -> None:
    def all_of(load: str, mark: str) -> None:
        record("load", load)
        df = {"df": StepInput(mark, "load")}
        record("clean", "tidy = df", inputs=df, ingredients={"input:df": mark})
        tidy = {"tidy": StepInput(mark, "clean")}
        record("train", "score = tidy", inputs=tidy, ingredients={"input:tidy": mark})

    all_of("df = 1", "a")
    all_of("df = 2", "b")
    cause = newest(store, "train")
    assert cause.sentence == (
        "its input 'tidy' changed, because step 'clean' ran again, because "
        "its input 'df' changed, because step 'load' ran again, because its code changed"
    )
    assert "+df = 2" in cause.first.detail


def test_an_input_that_was_reused_with_an_earlier_result_ends_the_chain(store: Store, record: Record) -> None:
    old = record("load", "df = 1")
    record("load", "df = 2")
    record("train", inputs={"df": StepInput("b", "load")}, ingredients={"input:df": "b"})
    record("load", "df = 1", status=Status.REUSED, reused_from=old.id)
    record("train", inputs={"df": StepInput("a", "load")}, ingredients={"input:df": "a"})
    assert newest(store, "train").sentence == "its input 'df' changed: step 'load' returned a different earlier result"


def test_an_input_made_by_no_step_or_gone_is_told(store: Store, record: Record) -> None:
    record("train", inputs={"a": StepInput("1", "cell:12")}, ingredients={"input:a": "1"})
    record("train", inputs={"a": StepInput("2", "cell:12")}, ingredients={"input:a": "2"})
    assert sentence(newest(store, "train").reason) == "its input 'a' changed"
    record("train")
    assert sentence(newest(store, "train").reason) == "its input 'a' is gone"


def test_a_parameter_shows_both_values(store: Store, record: Record) -> None:
    for rate in (0.05, 0.1):
        inputs = {"rate": StepInput(str(rate), "cell:1")}
        record("train", run={"parameters": {"rate": rate}}, inputs=inputs, ingredients={"input:rate": str(rate)})
    assert sentence(newest(store, "train").reason) == "parameter 'rate' changed: 0.05 → 0.1"


def test_packages_show_their_versions(store: Store, record: Record) -> None:
    for names in (["numpy==2.0", "old==1"], ["numpy==2.1", "new==3"]):
        kept = store.objects.put(json.dumps({"packages": names}).encode())
        record("train", run={"environment": kept}, ingredients={"packages": names[0]})
    cause = newest(store, "train")
    assert sentence(cause.reason) == "installed packages changed"
    assert cause.detail == ("new (not installed) → 3", "numpy 2.0 → 2.1", "old 1 → (not installed)")


def test_where_no_environment_is_recorded_the_change_is_told_alone(store: Store, record: Record) -> None:
    for mark in "ab":
        record("train", run={"environment": "0" * 64}, ingredients={"packages": mark})
    assert newest(store, "train").detail == ()


@pytest.mark.parametrize(
    ("ingredient", "text"),
    [
        ("file:data.csv", "the file data.csv changed"),
        ("module:tools", "the module tools changed"),
        ("library:pandas", "the options of pandas changed"),
        ("environment:HOME", "the variable HOME changed"),
        ("python", "the Python version changed"),
    ],
)
def test_other_parts_are_named(store: Store, record: Record, ingredient: str, text: str) -> None:
    for mark in "ab":
        record("train", ingredients={ingredient: mark})
    assert sentence(newest(store, "train").reason) == text


def test_what_was_found_while_it_ran_is_told_too(store: Store, record: Record) -> None:
    record("train", conditions=Conditions({"/a.csv": "1"}, "/", {"numpy": "1"}))
    record("train", conditions=Conditions({"/a.csv": "2"}, "/", {"numpy": "1"}))
    assert sentence(newest(store, "train").reason) == "the file /a.csv changed"
    record("train", conditions=Conditions({"/a.csv": "2"}, "/", {"numpy": "2"}))
    assert sentence(newest(store, "train").reason) == "the state of the random generator of numpy was different"
    record("train", conditions=Conditions({"/a.csv": "2"}, "/", {"numpy": "2"}), why=Reason(ReasonCode.ENDED, "failed"))
    assert sentence(newest(store, "train").reason) == "its last run failed"


def would(store: Store | None, monkeypatch: pytest.MonkeyPatch, *steps: Forecast) -> Cause | None:
    cells = [Cell(index, step.name, "code", f"%%step {step.name}\nx = 2") for index, step in enumerate(steps)]
    monkeypatch.setattr(plan, "forecast", lambda store, notebook, cells: steps)
    return why_would(store, "nb.ipynb", cells, steps[-1].name)


def test_what_would_run_now_is_followed_up_too(store: Store, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    record("load", "x = 1")
    cause = would(
        store,
        monkeypatch,
        Forecast("load", "a", 0, True, "run", Reason(ReasonCode.CODE_CHANGED)),
        Forecast("train", "b", 1, True, "unknown", Reason(ReasonCode.DEPENDS, "load"), inputs={"df": "load"}),
    )
    assert cause is not None
    assert cause.sentence == "its input 'df' may change, because step 'load' would run, because its code changed"
    assert {"-x = 1", "+x = 2"} <= set(cause.first.detail)


def test_a_step_that_would_be_reused_has_no_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    assert would(None, monkeypatch, Forecast("a", "a", 0, True, "reuse", Reason(ReasonCode.NOTHING_CHANGED))) is None


def test_a_value_changed_in_place_is_followed_to_the_step_that_changed_it(store: Store) -> None:
    """`df` was bound by `load`, and given a column by `feat`: that one is the maker of what `train` read."""
    for number in (1, 2):
        run = add_run(store)
        parts: list[tuple[str, str, dict[str, Any]]] = [
            ("load", "df = 1", {"outputs": {"df": "raw"}, "ingredients": {"code": "c"}}),
            ("feat", f"df.x = {number}", {"outputs": {"df": f"d{number}"}, "ingredients": {"code": f"c{number}"}}),
            (
                "train",
                "m = df",
                {"inputs": {"df": StepInput(f"d{number}", "load")}, "ingredients": {"input:df": f"d{number}"}},
            ),
        ]
        for place, (step, code, values) in enumerate(parts):
            started = NOON + timedelta(minutes=number, seconds=place)
            add_step(store, run, step, code, started_at=started, **values)
    expected = "its input 'df' changed, because step 'feat' ran again, because its code changed"
    assert newest(store, "train").sentence == expected


def test_code_of_megabytes_is_not_compared_line_by_line() -> None:
    lines = code_diff("a\n" * 2_000_000, "b\n" * 2_000_000, ("load v1", "load v2"))
    assert lines[:2] == ("load v1: 4,000,000 characters", "load v2: 4,000,000 characters")
    assert len(lines) == 3
