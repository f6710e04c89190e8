"""`plan`: how it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.domain.plan import Forecast
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.operations.steps import plan as operation
from verbs.projects import data_of, filled, text_of, write_notebook


def reused(name: str, named: bool = True, source: str | None = None) -> Forecast:
    return Forecast(name, name, 0, named, "reuse", Reason(ReasonCode.NOTHING_CHANGED), 0.0, source=source)


def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *steps: Forecast, line: str = "plan") -> list[str]:
    write_notebook(tmp_path / "nb.ipynb")
    monkeypatch.setattr(operation, "forecast", lambda store, notebook, cells: steps)
    return text_of(tmp_path, line).splitlines()


def test_each_step_says_what_it_would_do_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = show(
        tmp_path,
        monkeypatch,
        reused("load"),
        Forecast("train", "b", 1, True, "run", Reason(ReasonCode.CODE_CHANGED), 4.2),
        Forecast("report", "c", 2, True, "unknown", Reason(ReasonCode.DEPENDS, "train"), 75.0),
    )
    assert [line.split()[0] for line in lines[1:4]] == ["load", "train", "report"]
    assert "run" in lines[2]
    assert "4.2 s" in lines[2]
    assert "its code changed" in lines[2]
    assert "not known yet" in lines[3]
    assert lines[-1] == "1 of 3 steps would run, about 4.2 s; 1 more may, up to 1 min 15 s."


def test_what_reuse_saves_is_what_computing_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path)
    from jupyter_mlops.store import open_store

    with open_store(tmp_path) as store:
        source = store.steps.runs(step="train", limit=5)[-1]
    lines = show(tmp_path, monkeypatch, reused("train", source=source.id))
    assert lines[-1] == "0 of 1 step would run (1 reused step saves 500 ms)."


def test_steps_that_never_ran_have_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Forecast("a", "a", 0, True, "run", Reason(ReasonCode.NEVER_RAN), None)
    assert show(tmp_path, monkeypatch, step)[-1] == "1 of 1 step would run, 1 whose time is not known."


def test_unnamed_cells_that_are_reused_are_one_line_unless_all_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [reused("load"), *(reused(f"cell@{index}", False) for index in range(40)), reused("train")]
    lines = show(tmp_path, monkeypatch, *steps)
    assert len(lines) == 6
    assert "40 unnamed cells" in lines[2]
    assert len(show(tmp_path, monkeypatch, *steps, line="plan --all")) == 45
    plain = [reused(f"cell@{index}", False) for index in range(40)]
    assert len(show(tmp_path, monkeypatch, *plain)) == 43


def test_as_json_it_is_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show(tmp_path, monkeypatch, reused("load"))
    data = data_of(tmp_path, "plan --from load --until load --force")
    assert (data["notebook"], data["running"]) == ("nb.ipynb", 1)
    assert data["steps"][0]["decision"] == "run"


def test_a_notebook_without_code_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert show(tmp_path, monkeypatch) == ["nb.ipynb has no code yet."]


def test_an_unknown_notebook_or_step_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show(tmp_path, monkeypatch, reused("load"))
    for line in ("plan --notebook other.ipynb", "plan --from laod"):
        with pytest.raises(UnknownNameError):
            text_of(tmp_path, line)


def test_capture_forecasts_a_notebook_that_never_ran(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb")
    assert next(step["decision"] for step in data_of(tmp_path, "plan")["steps"]) == "run"
    assert not (tmp_path / ".mlops").exists()


def test_a_cell_that_no_one_named_is_known_by_its_first_line(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", {"3f2a91c4": "# the data\nrows = [1]", "use": "%%step use\nrows"})
    assert [step["label"] for step in data_of(tmp_path, "plan")["steps"]] == ["rows = [1]", "use"]
    assert "rows = [1]  @3f2a91c4" in text_of(tmp_path, "plan")
