"""The state of each step as its notebook stands now, as a table of edits and what they make stale."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from verbs.projects import NOON, add_run, add_step

from jupyter_mlops.analysis.code import cell_facts
from jupyter_mlops.capture.digest import Walker
from jupyter_mlops.domain.pipeline import Cell, PipelineStatus
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepInput
from jupyter_mlops.operations.status import pipeline_status
from jupyter_mlops.store.processes import this_process
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
    run = add_run(store)
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


@dataclass
class Edit:
    """Cells that are other than recorded, the states of load, train and report then, and words of the first reason."""

    name: str
    states: str
    reason: str = ""
    cells: dict[str, str] = field(default_factory=dict)


EDITS = [
    Edit("nothing", "fresh fresh fresh"),
    Edit("a comment", "fresh fresh fresh", cells={"train": CELLS["train"] + "  # why", "load": "numbers = [1,2]"}),
    Edit("the first step", "stale stale stale", "its code changed", {"load": "numbers = [1, 3]"}),
    Edit("the middle step", "fresh stale stale", "its code changed", {"train": "score = 0"}),
    Edit("the last step", "fresh fresh stale", "its code changed", {"report": "text = ''"}),
    Edit("a parameter", "fresh stale stale", "parameter 'rate' had another value", {"parameters": "rate = 3"}),
    Edit("a parameter's type", "fresh stale stale", "parameter 'rate'", {"parameters": "rate = 2.0"}),
    Edit(
        "a plain cell", "fresh stale stale", "the cell that makes its input 'offset' changed", {"helper": "offset = 2"}
    ),
    Edit("no more Python", "stale stale stale", "not valid Python", {"load": "numbers = = 1"}),
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_makes_stale_what_depends_on_it(store: Store, edit: Edit) -> None:
    record(store)
    status = pipeline_status(store, "nb.ipynb", cells_of(CELLS | edit.cells))
    assert states(status) == edit.states.split()
    stale = [step for step in status.steps if step.state == "stale"]
    assert edit.reason in (stale[0].reason if stale else "")


def test_before_anything_ran_all_is_never_run() -> None:
    status = pipeline_status(None, "nb.ipynb", cells_of(CELLS))
    assert states(status) == ["never_run"] * 3
    assert [step.upstream for step in status.steps] == [(), ("load",), ("train",)]
    assert [parameter.name for parameter in status.parameters] == ["rate"]


def test_an_edit_taken_back_is_fresh_again(store: Store) -> None:
    record(store)
    record(store, train={"code": "score = 0", "outputs": {"score": digest(0)}})
    assert states(pipeline_status(store, "nb.ipynb", cells_of(CELLS)))[:2] == ["fresh", "fresh"]


def test_a_file_that_changed_makes_its_reader_stale(store: Store, tmp_path: Path) -> None:
    from jupyter_mlops.store.digests import file_digest

    path = tmp_path / "data.csv"
    path.write_text("one")
    record(store, load={"conditions": Conditions({str(path): file_digest(str(path))})})
    assert states(pipeline_status(store, "nb.ipynb", cells_of(CELLS))) == ["fresh"] * 3
    path.write_text("two")
    status = pipeline_status(store, "nb.ipynb", cells_of(CELLS))
    assert states(status) == ["stale"] * 3
    assert status.steps[0].reason == f"the file {path} changed"
    path.unlink()
    assert states(pipeline_status(store, "nb.ipynb", cells_of(CELLS))) == ["stale"] * 3


def test_an_upstream_step_that_now_makes_another_value_makes_its_followers_stale(store: Store) -> None:
    record(store)
    run = add_run(store)
    add_step(store, run, "load", CELLS["load"], outputs={"numbers": digest([9])})
    status = pipeline_status(store, "nb.ipynb", cells_of(CELLS))
    assert states(status) == ["fresh", "stale", "stale"]
    assert status.steps[1].reason == "its input 'numbers' changed (from step load)"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"status": Status.FAILED, "error": "ValueError: no\nmore"}, "ValueError: no"),
        ({"status": Status.CANCELED}, "its last run canceled"),
        ({"status": Status.LOST}, "its last run lost"),
    ],
)
def test_a_step_whose_newest_run_did_not_succeed_has_failed(store: Store, values: dict[str, Any], reason: str) -> None:
    record(store)
    record(store, train=values)
    status = pipeline_status(store, "nb.ipynb", cells_of(CELLS))
    assert status.steps[1].state == "failed"
    assert status.steps[1].reason == reason


def test_a_step_runs_only_while_its_process_lives(store: Store) -> None:
    pid, started = this_process()
    record(store, train={"status": Status.RUNNING, "pid": pid, "pid_started": started})
    assert states(pipeline_status(store, "nb.ipynb", cells_of(CELLS)))[1] == "running"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    record(store, train={"status": Status.RUNNING, "pid": gone.pid, "pid_started": 1.0})
    step = pipeline_status(store, "nb.ipynb", cells_of(CELLS)).steps[1]
    assert (step.state.value, step.reason) == ("failed", "the kernel that ran it is gone")


def test_a_step_that_runs_always_says_so_and_is_fresh_until_then(store: Store) -> None:
    record(store, report={"unrepeatable": "reads the clock (now)"})
    step = pipeline_status(store, "nb.ipynb", cells_of(CELLS)).steps[2]
    assert (step.state.value, step.reason) == ("fresh", "runs always: it reads the clock (now)")


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
        ({"bad": "%%step 1st\ny = 2"}, "'1st' cannot name a step.", "bad"),
    ],
)
def test_what_is_wrong_in_the_notebook_is_a_problem_at_its_cell(
    store: Store, cells: dict[str, str], message: str, cell_id: str
) -> None:
    (problem,) = pipeline_status(store, "nb.ipynb", cells_of(cells)).problems
    assert message in problem.message
    assert problem.cell_id == cell_id
    assert problem.hint


def test_a_step_moved_above_its_input_is_told_apart(store: Store) -> None:
    """What binds an input is the nearest cell above; where none is left, it is another pipeline."""
    record(store)
    moved = {name: CELLS[name] for name in ("parameters", "helper", "train", "load", "report")}
    train = pipeline_status(store, "nb.ipynb", cells_of(moved)).steps[0]
    assert train.name == "train"
    assert train.upstream == ()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("load", "step 'load', which makes its input 'numbers', is not fresh"),
        ("helper", "the cell that makes its input 'offset' is gone"),
    ],
)
def test_a_step_whose_input_no_cell_makes_any_more_is_stale(store: Store, name: str, reason: str) -> None:
    record(store)
    rest = {other: source for other, source in CELLS.items() if other != name}
    (train,) = [step for step in pipeline_status(store, "nb.ipynb", cells_of(rest)).steps if step.name == "train"]
    assert (train.state.value, train.reason) == ("stale", reason)


def test_an_input_that_only_running_showed_counts_while_its_cell_is_there(store: Store) -> None:
    """`globals()["hidden"] = 1` binds a name that the code does not show."""
    code = "globals()['hidden'] = 1"
    maker = f"cell:{cell_facts(code).digest[:16]}"
    run = add_run(store)
    add_step(store, run, "report", "text = str(hidden)", inputs={"hidden": StepInput(digest(1), maker)})
    cells = {"setup": code, "report": "text = str(hidden)"}
    assert states(pipeline_status(store, "nb.ipynb", cells_of(cells))) == ["fresh"]
    assert states(pipeline_status(store, "nb.ipynb", cells_of(cells | {"setup": code.replace("1", "2")}))) == ["stale"]


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


def test_a_step_to_which_a_model_was_added_is_stale(store: Store) -> None:
    record(store)
    cells = cells_of(CELLS)
    train = cells[3]
    named = Cell(train.index, train.id, train.kind, train.source.replace("%%step train", "%%step train --model score"))
    status = pipeline_status(store, "nb.ipynb", [*cells[:3], named, cells[4]])
    found = next(step for step in status.steps if step.name == "train")
    assert (found.state.value, found.reason) == ("stale", "the model it names changed")


def test_a_parameters_cell_that_is_no_python_is_told_as_a_problem() -> None:
    status = pipeline_status(None, "a.ipynb", [Cell(0, "here", "code", "rate = = 2", ("parameters",))])
    assert [problem.cell_id for problem in status.problems] == ["here"]
    assert status.parameters == ()
