"""`steps`: all that was recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.store import open_store
from verbs.projects import add_run, add_step, data_of, filled, rows, text_of

CLOCK = Reasons.of([Reason(ReasonCode.CLOCK, "now")])


def test_each_step_stands_once_with_its_newest_run(tmp_path: Path) -> None:
    filled(tmp_path)
    found = rows(text_of(tmp_path, "steps"))
    assert [row[:4] for row in found[1:]] == [
        ["nb.ipynb", "load", "v1", "reused"],
        ["nb.ipynb", "train", "v2", "failed"],
    ]


def test_steps_of_one_name_in_two_notebooks_are_two(tmp_path: Path) -> None:
    filled(tmp_path)
    with open_store(tmp_path) as store:
        add_step(
            store,
            add_run(store, notebook="a.ipynb"),
            "load",
            "x = 1",
            unrepeatable=CLOCK,
        )
    data = data_of(tmp_path, "steps")
    assert [(row["notebook"], row["step"]) for row in data] == [
        ("a.ipynb", "load"),
        ("nb.ipynb", "load"),
        ("nb.ipynb", "train"),
    ]
    assert data[0]["unrepeatable"] == "reads the clock (now)"
    assert data[1]["status"] == Status.REUSED.value
    assert "reads the clock (now)" in text_of(tmp_path, "steps")


def test_a_project_without_steps_says_so(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    assert "No step has run in this project yet" in text_of(tmp_path, "steps")
    assert data_of(tmp_path, "steps") == []


@pytest.mark.parametrize("line", ["steps", "log load", "diff load 1 2", "runs", "why load"])
def test_a_folder_without_a_project_is_told_and_stays_without(tmp_path: Path, line: str) -> None:
    with pytest.raises(UnknownNameError, match="no project at or above") as caught:
        text_of(tmp_path, line)
    assert "first use" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_the_project_is_in_it(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "sub").mkdir()
    assert len(data_of(tmp_path / "sub", "steps")) == 2


def test_cells_that_no_one_named_are_left_out_unless_all_are_asked_for(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        run = add_run(store)
        add_step(store, run, "prices@0a1b2c3d", "x = 1")
        assert [row["step"] for row in data_of(tmp_path, "steps")] == ["prices@0a1b2c3d"]
        add_step(store, run, "load", "x = 1")
    assert [row["step"] for row in data_of(tmp_path, "steps")] == ["load"]
    rows = data_of(tmp_path, "steps --all")
    assert [(row["step"], row["label"]) for row in rows] == [("prices@0a1b2c3d", "x = 1"), ("load", "load")]
    assert data_of(tmp_path, "why prices@0a1b2c3d")["label"] == "x = 1"
