"""A forecast counts on a step's last result only where the step would begin as it did then."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.analysis.parameters import plain_values
from jupyter_mlops.analysis.parameters.scope import bind
from jupyter_mlops.analysis.pipeline.cells import all_steps_of
from jupyter_mlops.analysis.pipeline.shown import facts_of
from jupyter_mlops.capture.forecast import DISPLAY_MODE, RecordedWorld, _Forecaster, forecast
from jupyter_mlops.capture.key.examination import examine
from jupyter_mlops.capture.key.modules import LocalModules
from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.plan import RUN, UNKNOWN, Forecast
from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepRun
from jupyter_mlops.store.files.digests import file_digest

CELLS = (
    Cell(0, "a", "code", "%%step load\ntext = open(where()).read()"),
    Cell(1, "b", "code", "%%step count\nprint(text)"),
)


def foreseen(*codes: ReasonCode, **conditions: dict[str, str]) -> tuple[Forecast, ...]:
    """What is foreseen where `load` had run under these conditions."""
    steps, _ = all_steps_of(CELLS)
    facts = facts_of(steps[0])
    assert facts is not None
    found = examine(facts, RecordedWorld(), LocalModules(), display_mode=DISPLAY_MODE)
    run = StepRun(
        id="1", run_id="r", notebook="n.ipynb", step="load", version=1, version_digest="", position=0,
        status=Status.COMPLETED, key=found.key, ingredients=found.ingredients,
        known={"text": ValueFacts(digest="d").to_json()}, conditions=Conditions(**conditions),
        unrepeatable=Reasons.of(map(Reason, codes)),
        result="object",
    )  # fmt: skip
    return tuple(_Forecaster(None, RecordedWorld(), {"load": [run]}, "").steps(steps))


def test_a_step_that_runs_for_no_change_is_taken_to_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1")
    load, count = foreseen(ReasonCode.CLOCK, files={str(path): file_digest(str(path))})
    assert (load.decision, load.repeats) == (RUN, "1")
    assert count.decision != UNKNOWN


def test_what_a_step_gives_is_open_where_a_file_it_opened_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1")
    files = {str(path): file_digest(str(path))}
    path.write_text("2")
    load, count = foreseen(files=files)
    assert (load.decision, load.repeats, load.reason) == (RUN, None, Reason(ReasonCode.FILE_CHANGED, str(path)))
    assert count.decision == UNKNOWN


def test_what_a_step_gives_is_open_where_it_drew_from_another_state() -> None:
    assert foreseen(random_before={"numpy": "other"})[0].repeats is None
    assert foreseen(ReasonCode.ENTROPY, random_before={"numpy": "other"})[0].repeats == "1"


def test_what_names_stand_for_is_read_once_for_each_cell_of_a_long_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    bound = []
    monkeypatch.setattr(plain_values, "bind", lambda node, scope: (bound.append(node), bind(node, scope)))
    codes = ["base = 2", *(f"v{n} = base * {n}\nw{n} = [v{n}]" for n in range(100))]
    cells = tuple(Cell(n, str(n), "code", code) for n, code in enumerate(codes))
    forecast(None, "n.ipynb", cells)
    assert len(bound) < 3 * 201  # each statement for the cells below, and again where its own cell goes on
