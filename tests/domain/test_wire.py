"""How values look on the wire: JSON's own types, and nothing lost on the way there and back."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.domain.pipeline import PipelineStatus
from jupyter_mlops.domain.reason import NO_REASONS, Reason, ReasonCode, Reasons
from jupyter_mlops.domain.run import Progress, Run, RunFailure, RunKind, RunOptions, TrackedAt
from jupyter_mlops.domain.schedule import Schedule, ScheduleView
from jupyter_mlops.domain.status import Status, StepState
from jupyter_mlops.domain.step import Conditions, StepInput, StepRun
from jupyter_mlops.domain.wire import to_wire

TEXT = st.text(max_size=12)
TIMES = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)).map(
    lambda time: time.replace(tzinfo=timezone.utc)
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ERRORS = st.builds(RunFailure, TEXT, TEXT, st.none() | st.integers(0, 99), st.none() | TEXT, TEXT, TEXT)
RUNS = st.builds(
    Run,
    id=TEXT,
    number=st.integers(1, 9999),
    kind=st.sampled_from(RunKind),
    notebook=TEXT,
    status=st.sampled_from(Status),
    parameters=st.dictionaries(TEXT, JSON, max_size=3),
    metrics=st.dictionaries(TEXT, FLOATS, max_size=3),
    tags=st.dictionaries(TEXT, TEXT, max_size=3),
    tracked_at=st.builds(TrackedAt, TEXT),
    changed_sources=st.tuples(TEXT),
    error=st.none() | ERRORS,
    progress=st.builds(Progress, st.integers(0, 9), st.integers(0, 9), st.none() | TEXT),
    created_at=st.none() | TIMES,
    started_at=st.none() | TIMES,
    ended_at=st.none() | TIMES,
    options=st.builds(RunOptions, given=st.dictionaries(TEXT, JSON, max_size=2), notify=st.tuples(TEXT)),
)
STEP_RUNS = st.builds(
    StepRun,
    id=TEXT,
    run_id=TEXT,
    notebook=TEXT,
    step=TEXT,
    version=st.integers(1, 99),
    version_digest=TEXT,
    position=st.integers(0, 99),
    status=st.sampled_from(Status),
    inputs=st.dictionaries(TEXT, st.builds(StepInput, TEXT, TEXT), max_size=3),
    conditions=st.builds(Conditions, st.dictionaries(TEXT, TEXT, max_size=2), st.dictionaries(TEXT, TEXT, max_size=2)),
    duration=st.none() | FLOATS,
    started_at=st.none() | TIMES,
    extra=st.dictionaries(TEXT, JSON, max_size=2),
)


def there_and_back(value: Any) -> Any:
    return json.loads(json.dumps(to_wire(value), ensure_ascii=False, allow_nan=False))


def time_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def run_of(wire: dict[str, Any]) -> Run:
    times = {name: time_of(wire[name]) for name in ("created_at", "started_at", "ended_at", "lease_until")}
    error = RunFailure(**wire["error"]) if wire["error"] else None
    options = RunOptions(**wire["options"] | {"notify": tuple(wire["options"]["notify"])})
    nested = {"status": Status(wire["status"]), "error": error, "progress": Progress(**wire["progress"])}
    nested |= {"options": options, "kind": RunKind(wire["kind"]), "tracked_at": TrackedAt(**wire["tracked_at"])}
    nested |= {"changed_sources": tuple(wire["changed_sources"])}
    return Run(**(wire | times | nested))


def step_run_of(wire: dict[str, Any]) -> StepRun:
    times = {name: time_of(wire[name]) for name in ("started_at", "ended_at")}
    inputs = {name: StepInput(**item) for name, item in wire["inputs"].items()}
    nested = {"status": Status(wire["status"]), "inputs": inputs, "conditions": Conditions(**wire["conditions"])}
    nested |= {"unrepeatable": NO_REASONS}
    return StepRun(**(wire | times | nested))


@given(RUNS)
def test_a_run_comes_back_from_the_wire(run: Run) -> None:
    assert run_of(there_and_back(run)) == run


@given(STEP_RUNS)
def test_a_step_run_comes_back_from_the_wire(step_run: StepRun) -> None:
    assert step_run_of(there_and_back(step_run)) == step_run


@given(JSON)
def test_plain_values_are_themselves(value: Any) -> None:
    assert to_wire(value) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_no_word_for_are_told_as_text(value: float) -> None:
    assert there_and_back({"x": [value]}) == {"x": [str(value)]}


def test_enums_paths_tuples_and_sets_are_plain() -> None:
    value = {"state": StepState.NEVER_RUN, "path": PurePosixPath("a/b"), "pair": (1, 2), "set": {"b", "a"}, 3: None}
    assert there_and_back(value) == {
        "state": "never_run",
        "path": "a/b",
        "pair": [1, 2],
        "set": ["a", "b"],
        "3": None,
    }


def test_all_fields_are_told_those_of_a_parent_class_too() -> None:
    view = ScheduleView("id", 1, "nb.ipynb", "* * * * *", "UTC")
    assert list(to_wire(view)) == [field.name for field in fields(view)]
    assert {field.name for field in fields(Schedule)} < set(to_wire(view))
    assert to_wire(PipelineStatus("nb.ipynb")) == {
        "notebook": "nb.ipynb",
        "steps": [],
        "parameters": [],
        "problems": [],
        "in_view": "record",
        "run_number": None,
        "source": None,
        "captured": False,
        "hidden": 0,
    }


def test_reasons_are_told_in_words() -> None:
    why = Reason(ReasonCode.INPUT_CHANGED, "df", "load")
    unrepeatable = Reasons.of([Reason(ReasonCode.CLOCK, "now", where="read"), Reason(ReasonCode.NETWORK)])
    assert to_wire({"why": why, "unrepeatable": unrepeatable, "none": NO_REASONS, "first": unrepeatable[0]}) == {
        "why": "its input 'df' changed (from step 'load')",
        "unrepeatable": "reads the clock (now) in read; talks to the network",
        "none": "",
        "first": "it reads the clock (now) in read",
    }


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        to_wire({"x": object()})


def test_a_duration_needs_both_ends() -> None:
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    run = Run("id", 1, "job", "nb.ipynb", Status.COMPLETED, started_at=start, ended_at=start + timedelta(seconds=2))
    assert run.duration == 2
    assert Run(**(asdict(run) | {"ended_at": None, "error": None, "progress": Progress()})).duration is None


@pytest.mark.parametrize("status", Status)
def test_what_has_succeeded_has_ended_and_what_is_open_has_not(status: Status) -> None:
    assert str(status) == status.value
    assert not status.succeeded or status.ended
    assert status.ended is (status not in (Status.PENDING, Status.RUNNING))
