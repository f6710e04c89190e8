"""The state of each step as its notebook stands now, by what capture forecasts and what its newest run came to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from verbs.projects import NOON, add_run, add_step

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.analysis.pipeline.cells import all_steps_of
from jupyter_mlops.capture.digest.content import Walker
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.pipeline import PipelineStatus
from jupyter_mlops.domain.plan import Forecast
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepInput
from jupyter_mlops.operations.steps import status
from jupyter_mlops.operations.steps.status import pipeline_status
from jupyter_mlops.store.files.processes import this_process
from jupyter_mlops.store.store import Store

CELLS = {
    "parameters": "rate = 2",
    "helper": "offset = 1",
    "load": "numbers = [1, 2]",
    "train": "score = sum(numbers) * rate + offset",
    "report": "text = str(score)",
}
STEPS = ("load", "train", "report")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def cells_of(sources: dict[str, str]) -> list[Cell]:
    """Cells in order: `parameters` with its tag, steps with their magic, others plain."""
    return [
        Cell(
            index,
            name,
            "code",
            f"%%step {name}\n{source}" if name in STEPS or name.startswith("new") else source,
            ("parameters",) if name == "parameters" else (),
        )
        for index, (name, source) in enumerate(sources.items())
    ]


def digest(value: Any) -> str:
    return Walker({}).fingerprint("value", value).digest


def record(store: Store, **changed: dict[str, Any]) -> None:
    """One run in which all three steps ran; `changed` are other fields of the step runs by step."""
    run = add_run(store, kind="session")
    helper = f"cell:{cell_facts(CELLS['helper']).digest[:16]}"
    inputs = {
        "load": {},
        "train": {
            "numbers": StepInput(digest([1, 2]), "load"),
            "rate": StepInput(digest(2), "cell:x"),
            "offset": StepInput(digest(1), helper),
        },
        "report": {"score": StepInput(digest(7), "train")},
    }
    outputs = {"load": {"numbers": digest([1, 2])}, "train": {"score": digest(7)}, "report": {"text": digest("7")}}
    for position, name in enumerate(STEPS):
        values = {
            "inputs": inputs[name],
            "outputs": outputs[name],
            "started_at": NOON + timedelta(minutes=run.number, seconds=position),
        }
        values |= changed.get(name, {})
        add_step(store, run, name, values.pop("code", CELLS[name]), **values)


def states(status: PipelineStatus) -> list[str]:
    return [step.state.value for step in status.steps]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what capture forecasts of steps; of the others that they are reused."""

    def set_to(**steps: Forecast) -> None:
        def forecast(
            store: Store | None, notebook: str, cells: Sequence[Cell], first: Any = None
        ) -> tuple[Forecast, ...]:
            return tuple(
                replace(steps.get(step.spec.name, REUSED), name=step.spec.name, cell_index=step.cell.index)
                for step in all_steps_of(cells)[0]
            )

        monkeypatch.setattr(status, "forecast", forecast)

    return set_to


REUSED = Forecast("", "", 0, True, "reuse", Reason(ReasonCode.NOTHING_CHANGED), 0.0, source="1")
CHANGED = replace(REUSED, decision="run", reason=Reason(ReasonCode.CODE_CHANGED), source=None)
OPEN = replace(
    CHANGED, decision="unknown", reason=Reason(ReasonCode.DEPENDS, "load"), inputs={"numbers": "load", "rate": "x"}
)
AGAIN = replace(CHANGED, reason=Reason(ReasonCode.CLOCK, "now"), repeats="1")
LOST = replace(AGAIN, reason=Reason(ReasonCode.RESULT_GONE))


@pytest.mark.parametrize(
    ("forecast", "state", "reason"),
    [
        (REUSED, "fresh", ""),
        (CHANGED, "stale", "its code changed"),
        (OPEN, "stale", "depends on the result of 'load'"),
        (AGAIN, "fresh", "runs always: it reads the clock (now)"),
        (LOST, "fresh", "runs again: its result is not in the store"),
    ],
)
def test_a_step_is_as_capture_forecasts(
    store: Store, told: Callable[..., None], forecast: Forecast, state: str, reason: str
) -> None:
    record(store)
    told(train=forecast)
    found = pipeline_status(store, "nb.ipynb", cells_of(CELLS))
    assert [step.name for step in found.steps] == list(STEPS)
    assert states(found) == ["fresh", state, "fresh"]
    assert found.steps[1].reason == reason
    assert [step.always for step in found.steps] == [False, forecast is AGAIN, False]


def test_what_a_step_takes_from_is_told_of_the_steps_that_are_shown(store: Store, told: Callable[..., None]) -> None:
    record(store)
    told(train=OPEN)
    assert pipeline_status(store, "nb.ipynb", cells_of(CELLS)).steps[1].upstream == ("load",)


def test_before_anything_ran_all_is_never_run() -> None:
    found = pipeline_status(None, "nb.ipynb", cells_of(CELLS))
    assert states(found) == ["never_run"] * 3
    assert [step.upstream for step in found.steps] == [(), ("load",), ("train",)]
    assert [parameter.name for parameter in found.parameters] == ["rate"]


def test_cells_that_no_one_named_are_steps_where_none_is_or_all_are_asked_for(told: Callable[..., None]) -> None:
    told()
    cells = cells_of({**CELLS, "steering": "%mlops status"})
    assert len(pipeline_status(None, "nb.ipynb", cells).steps) == 3
    assert len(pipeline_status(None, "nb.ipynb", cells, everything=True).steps) == 5
    plain = cells_of({"helper": CELLS["helper"], "steering": "%mlops status"})
    assert len(pipeline_status(None, "nb.ipynb", plain).steps) == 1


@pytest.mark.parametrize(
    ("values", "state", "reason"),
    [
        ({"status": Status.FAILED, "error": "ValueError: no\nmore"}, "failed", "ValueError: no"),
        ({"status": Status.CANCELED, "error": "KeyboardInterrupt: "}, "canceled", "it was stopped before it ended"),
        ({"status": Status.LOST}, "failed", "its last run lost"),
    ],
)
def test_a_step_whose_newest_run_here_did_not_succeed_says_how_it_ended(
    store: Store, values: dict[str, Any], state: str, reason: str
) -> None:
    record(store)
    record(store, train=values)
    found = pipeline_status(store, "nb.ipynb", cells_of(CELLS))
    assert found.steps[1].state == state
    assert found.steps[1].reason == reason


def test_a_step_runs_only_while_its_process_lives(store: Store) -> None:
    pid, started = this_process()
    record(store, train={"status": Status.RUNNING, "pid": pid, "pid_started": started})
    assert states(pipeline_status(store, "nb.ipynb", cells_of(CELLS)))[1] == "running"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    record(store, train={"status": Status.RUNNING, "pid": gone.pid, "pid_started": 1.0})
    step = pipeline_status(store, "nb.ipynb", cells_of(CELLS)).steps[1]
    assert (step.state.value, step.reason) == ("failed", "the kernel that ran it is gone")


def test_the_figures_are_those_of_the_newest_run(store: Store) -> None:
    record(store, train={"metrics": {"auc": 0.5}, "duration": 2.0})
    record(store, train={"metrics": {"auc": 0.75}, "duration": 0.1, "status": Status.REUSED})
    step = pipeline_status(store, "nb.ipynb", cells_of(CELLS)).steps[1]
    assert (step.metrics, step.duration, step.reused, step.run_number, step.version) == ({"auc": 0.75}, 0.1, True, 2, 1)
    assert (step.cell_id, step.cell_index) == ("train", 3)


def test_steps_of_other_notebooks_do_not_count(store: Store) -> None:
    record(store)
    assert states(pipeline_status(store, "other.ipynb", cells_of(CELLS))) == ["never_run"] * 3


@pytest.mark.parametrize(
    ("cells", "message", "cell_id"),
    [
        ({"load": "x = 1", "again": "%%step load\ny = 2"}, "Two steps are named 'load'.", "again"),
        ({"bad": "%%step 1st\ny = 2"}, "'1st' is not a valid step name.", "bad"),
    ],
)
def test_what_is_wrong_in_the_notebook_is_a_problem_at_its_cell(
    store: Store, cells: dict[str, str], message: str, cell_id: str
) -> None:
    (problem,) = pipeline_status(store, "nb.ipynb", cells_of(cells)).problems
    assert message in problem.message
    assert problem.cell_id == cell_id
    assert problem.hint


@pytest.fixture
def looks(store: Store) -> Callable[[], int]:
    """How many rows there are: looking must not write."""

    def count() -> int:
        return len(store.steps.runs()) + len(store.runs.list()) + store.outbox.size()

    return count


def test_looking_writes_nothing(store: Store, looks: Callable[[], int]) -> None:
    record(store)
    before = looks(), store.index.change_token()
    pipeline_status(store, "nb.ipynb", cells_of(CELLS))
    assert (looks(), store.index.change_token()) == before


def test_a_parameters_cell_that_is_no_python_is_told_as_a_problem() -> None:
    found = pipeline_status(None, "a.ipynb", [Cell(0, "here", "code", "rate = = 2", ("parameters",))])
    assert [problem.cell_id for problem in found.problems] == ["here"]
    assert found.parameters == ()
