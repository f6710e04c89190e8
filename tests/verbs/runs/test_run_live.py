"""`%mlops run`: the notebook's cells in the live kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import CellFailedError, InputError, UnknownNameError
from jupyter_mlops.verbs import table
from jupyter_mlops.verbs.framework.verb import MAGIC
from verbs.live import FakeKernel
from verbs.projects import context, data_of, text_of, write_notebook

CELLS = {
    "magic": "%load_ext jupyter_mlops\n%mlops run",
    "imports": "import math",
    "load": "%%step load\nnumbers = [1, 2]",
    "other": "%%step other\nunused = 5",
    "clean": "%%step clean\ntidy = sorted(numbers)",
    "train": "%%step train\nscore = math.fsum(tidy)",
    "report": "%%step report\ntext = str(score)",
}


def run(folder: Path, line: str, kernel: FakeKernel, cells: dict[str, str] = CELLS) -> list[str]:
    """The steps executed, unnamed ones as "-"."""
    write_notebook(folder / "nb.ipynb", cells)
    table.call(line.split(), context(folder, MAGIC, folder / "nb.ipynb", kernel), "%mlops")
    return ["-" if "@" in name else name for name in kernel.executed]


@pytest.mark.parametrize(
    ("line", "namespace", "executed"),
    [
        ("run", {}, "- load other clean train report"),
        ("run --until clean", {}, "- load other clean"),
        ("run --from train", {}, "- load clean train report"),
        ("run --from train --until train", {"tidy": [1]}, "- train"),
        ("run --from train", {"tidy": [1], "math": __import__("math")}, "train report"),
        ("run --from report", {"score": 1}, "report"),
        ("run --from other --until other", {}, "other"),
    ],
)
def test_it_runs_from_one_step_to_another_with_what_they_need_and_the_kernel_has_not(
    tmp_path: Path, line: str, namespace: dict[str, Any], executed: str
) -> None:
    assert run(tmp_path, line, FakeKernel(**namespace)) == executed.split()


def test_each_cell_that_was_executed_is_told(tmp_path: Path) -> None:
    kernel = FakeKernel(reused=["load", "other"])
    write_notebook(tmp_path / "nb.ipynb", CELLS)
    where = context(tmp_path, MAGIC, tmp_path / "nb.ipynb", kernel)
    view, _ = table.call(["run"], where, "%mlops")
    lines = where.console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split()[0] for line in lines[1:]] == ["clean", "train", "report"]
    assert [line.split()[1] for line in lines] == ["executed"] * 4
    assert view.show() == "6 cells in 600 ms: 4 executed, 2 reused."


def test_it_stops_at_the_first_cell_that_fails_and_says_how_to_go_on(tmp_path: Path) -> None:
    kernel = FakeKernel()
    with pytest.raises(CellFailedError, match="Step 'clean' failed: ZeroDivisionError") as caught:
        run(tmp_path, "run", kernel, CELLS | {"clean": "%%step clean\ntidy = 1 / 0"})
    assert kernel.executed[-1] == "clean"
    assert "%mlops run --from clean" in caught.value.hint
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("line", "forced"),
    [("run --force clean", "clean"), ("run --from clean --force", "clean train report"), ("run", "")],
)
def test_steps_can_be_forced(tmp_path: Path, line: str, forced: str) -> None:
    kernel = FakeKernel(reused=["clean"], numbers=[1], math=__import__("math"))
    run(tmp_path, line, kernel)
    assert kernel.forced == forced.split()


def test_as_json_it_is_what_became_of_each_cell(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", CELLS)
    data = data_of(tmp_path, "run --until load", surface=MAGIC, live=FakeKernel(), notebook=tmp_path / "nb.ipynb")
    assert [(item["state"], item["named"]) for item in data] == [("executed", False), ("executed", True)]


def test_unknown_steps_and_a_missing_kernel_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError):
        run(tmp_path, "run --from nosuch", FakeKernel())
    with pytest.raises(InputError, match="no kernel"):
        text_of(tmp_path, "run", surface=MAGIC)
