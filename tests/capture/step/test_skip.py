"""Steps that are left out, and those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from notebooks import code, read, shown, write_notebook

from jupyter_mlops.analysis.pipeline.cells import cells_of
from jupyter_mlops.errors import CellFailedError
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.operations.steps.plan import pipeline_plan
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel


def cells(path: Path) -> list[tuple[str, str]]:
    """What each cell of the run showed, and what became of it."""
    run = run_notebook(path, {})
    with Store.open(path) as store:
        notebook = read(store.root / str(run.output_path))
    return [(shown(cell), cell["metadata"].get("jupyter_mlops", {}).get("status", "")) for cell in notebook["cells"]]


def test_a_step_is_left_out_where_its_expression_holds(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "nb.ipynb",
        code("retrain = False\nmodel = 'old'"),
        code("%%step train --skip-if 'not retrain'\nmodel = 'new'\nprint('trained')"),
        code("%%step never --skip\nprint('never')"),
        code("print(model)"),
    )
    found = cells(path)
    assert found[1:3] == [("", "skipped"), ("", "skipped")]
    assert found[3][0] == "old\n"
    with Store.open(path) as store:
        plan = pipeline_plan(store, "nb.ipynb", cells_of(read(path)))
        assert {step.name: step.decision for step in plan.steps}["never"] == "skip"
    path.write_text(path.read_text().replace("retrain = False", "retrain = True"))
    assert [text for text, _ in cells(path)] == ["", "trained\n", "", "new\n"]


def test_a_step_that_a_later_one_needs_cannot_be_left_out(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "nb.ipynb", code("%%step load --skip\nrows = [1]"), code("%%step use\nprint(rows)")
    )
    with pytest.raises(CellFailedError, match="'use' reads 'rows', which only it makes"):
        run_notebook(path, {})


def test_an_expression_that_cannot_be_weighed_says_so(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "nb.ipynb", code("%%step load --skip-if nothere\nrows = [1]"))
    with pytest.raises(CellFailedError, match="NameError"):
        run_notebook(path, {})


def test_a_tag_says_the_same(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "nb.ipynb", code("print('a')", "step:a", "skip"), code("print('b')", "step:b", "skip-if:1 == 1")
    )
    assert cells(path) == [("", "skipped"), ("", "skipped")]
