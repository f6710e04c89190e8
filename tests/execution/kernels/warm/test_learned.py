"""What later jobs of a notebook know of its cells is what they would have found themselves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.analysis.pipeline.cells import split_magic
from jupyter_mlops.capture.kernel.shell import strip_magic
from jupyter_mlops.execution.kernels.warm import learned
from jupyter_mlops.execution.kernels.warm.imports import LONGEST, LONGEST_TOGETHER, cells_to_learn
from jupyter_mlops.execution.kernels.warm.learned import Learned
from jupyter_mlops.execution.kernels.warm.pool import Pool

from .played import notebook_of, play

CELLS = [
    "x = 1",
    "",
    "\n\n  ",
    "%time x = 1\n!ls\ny = !ls\nz?",
    "%%time\nx = 1",
    "%%step load --reads a.csv\nimport pandas as pd\ndf = pd.DataFrame()",
    "\n%%step a\n%%time\nx = 1",
    "%%step b",
    "%%step b\n\n",
    ">>> a = 1\n... b = 2",
    "In [1]: a = 1",
    "    indented = 1\n    other = 2",
    "text = '''\n%%step no\n'''\r\nx = 1\x0c\n",
    "await f()\nasync def g(): pass",
    "?print",
    ";f a b",
    "ls",
]
BROKEN = ["x = (", "%%step\nx = 1", "'''", "def f(:\n  pass", "(" * 300]


def manager_of(*more: Any) -> Any:
    manager = TransformerManager()
    manager.cleanup_transforms = [*more, *manager.cleanup_transforms]
    return manager


@pytest.fixture
def taught() -> Any:
    shell = SimpleNamespace(input_transformer_manager=manager_of())
    known = Learned(shell)
    assert known.learn(CELLS + BROKEN)
    assert not known.learn(CELLS + BROKEN)
    return SimpleNamespace(manager=shell.input_transformer_manager, known=known)


@pytest.mark.parametrize("cell", CELLS + BROKEN)
def test_a_cell_is_transformed_as_ever(taught: Any, cell: str) -> None:
    def of(manager: Any) -> Any:
        try:
            return manager.transform_cell(cell)
        except Exception as error:  # noqa: BLE001 - ours and Python's own
            return type(error), str(error)

    taught.manager.cleanup_transforms.insert(0, strip_magic)
    assert of(taught.manager) == of(manager_of(strip_magic))


def test_where_others_transform_cells_too_they_are_asked(taught: Any) -> None:
    asked: list[Any] = []

    def theirs(lines: list[str]) -> list[str]:
        asked.append(lines)
        return ["y = 2\n"]

    taught.manager.cleanup_transforms.insert(0, strip_magic)
    taught.manager.line_transforms.append(theirs)
    assert taught.manager.transform_cell("x = 1") == "y = 2\n"
    assert len(asked) == 1
    taught.manager.line_transforms.remove(theirs)
    assert taught.manager.transform_cell("x = 1") == "x = 1\n"


def test_what_was_found_is_what_a_kernel_asks_for(taught: Any) -> None:
    cell_facts.cache_clear()
    taught.known._known.clear()
    taught.known.learn(CELLS)
    misses = cell_facts.cache_info().misses
    for cell in CELLS:
        cell_facts(split_magic(cell)[1])
    assert cell_facts.cache_info().misses == misses


def test_no_more_is_kept_than_a_notebook_needs(taught: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "MOST", 30)
    taught.known.learn(f"y = {n}" for n in range(20))
    taught.known.learn(f"z = {n}" for n in range(50))
    assert len(taught.known._known) == 30


def test_cells_of_a_job_and_long_ones_are_not_learned() -> None:
    notebook = notebook_of(["x = 1", "token = 'seven'", "y = 2" + " " * LONGEST, "z = 3"])
    notebook.cells[1].metadata["tags"] = ["injected-parameters"]
    assert cells_to_learn(notebook) == ("x = 1", "z = 3")
    many = notebook_of([f"x = {n} " + "#" * (LONGEST - 100) for n in range(100)])
    assert LONGEST_TOGETHER - LONGEST < sum(map(len, cells_to_learn(many))) <= LONGEST_TOGETHER
    assert cells_to_learn({}) == ()


@pytest.mark.kernel
def test_the_second_job_knows_the_cells_of_the_first_but_not_its_parameters(tmp_path: Path, pool: Pool) -> None:
    look = "sorted(get_ipython().input_transformer_manager.transform_cell.__self__._known)"

    def job(parameter: str) -> list[Any]:
        notebook = notebook_of([f"n = '{parameter}'", f"print([c for c in {look} if c.startswith('n =')])", look])
        notebook.cells[0].metadata["tags"] = ["injected-parameters"]
        executed, _, told = play(notebook, tmp_path, pool)
        assert told.kind == "warm"
        return [cell.outputs[0] for cell in executed.cells[1:]]

    job("of the first job")
    shown, known = job("second")
    assert shown.text == "[]\n"
    assert look in known.data["text/plain"]
    assert "of the first job" not in known.data["text/plain"]
