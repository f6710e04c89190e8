"""Independent steps of one run in several kernels: the run shows and records what that of one kernel does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from notebooks import code, read, shown, write_notebook

from jupyter_mlops.analysis.pipeline.ahead import ahead_of_turn
from jupyter_mlops.analysis.pipeline.cells import all_steps_of
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.run import RunOptions
from jupyter_mlops.errors import CellFailedError
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store.store import Store

CELLS = (
    "import os, time\nimport numpy as np\nnp.random.seed(3)",
    "def slow(n):\n    time.sleep(n / 4)\n    return [n, np.arange(n)]",
    "a = slow(1)",
    "b = slow(2)",
    "c = slow(3)\nprint('c is made')\nc",
    "both = [a, b]\nboth[0].append('x')",
    "total = sum(x[0] for x in both) + len(c)\ntotal",
    "view = c[1][:2]\nview",
    "view[0] = 9\nprint(c, a, np.random.rand())",
)


def run(folder: Path, workers: int, *cells: str, **options: Any) -> tuple[Any, list[str], list[Any]]:
    path = write_notebook(folder / "nb.ipynb", *map(code, cells or CELLS))
    done = run_notebook(path, {}, options=RunOptions(workers=workers, **options))
    with Store.open(path) as store:
        return (
            done,
            [shown(cell) for cell in read(store.root / str(done.output_path))["cells"]],
            store.steps.runs(run_id=done.id),
        )


@pytest.mark.kernel
def test_the_run_of_several_kernels_equals_that_of_one(tmp_path: Path) -> None:
    one, shown_by_one, steps_of_one = run(tmp_path / "one", 1)
    many, shown_by_many, steps_of_many = run(tmp_path / "many", 3)
    assert shown_by_many == shown_by_one
    assert (many.steps_executed, many.steps_reused) == (one.steps_executed, one.steps_reused) == (len(CELLS), 0)
    outputs = [{step.position: step.outputs for step in steps} for steps in (steps_of_one, steps_of_many)]
    assert outputs[0] == outputs[1]
    assert len({step.pid for step in steps_of_many}) > 1


@pytest.mark.kernel
def test_a_step_that_fails_ahead_of_its_turn_fails_in_its_turn(tmp_path: Path) -> None:
    with pytest.raises(CellFailedError, match="ZeroDivisionError"):
        run(tmp_path, 2, "import time\nx = 0", "time.sleep(1)", "y = 1 / x", "print(y)")
    with Store.open(tmp_path) as store:
        found = store.runs.list()[0]
        failed = [step for step in store.steps.runs(run_id=found.id) if step.status.value == "failed"]
    assert (len(failed), found.error.cell_index if found.error else None) == (1, 2)


def places(*sources: str) -> set[int]:
    steps, _ = all_steps_of([Cell(index, f"c{index}", "code", source) for index, source in enumerate(sources)])
    return set(ahead_of_turn(steps))


def test_what_acts_on_the_world_is_left_to_its_turn() -> None:
    assert places("x = 1", "y = x + 1") == {1}
    for acting in (
        "open('f', 'w').write(x)",
        "df.to_csv(x)",
        "np.random.rand(x)",
        "plt.plot(x)",
        "!echo {x}",
        "eval(x)",
        "pd.set_option('a', x)",
        "mlflow.log_metric('a', x)",
        "x.a = 1",
    ):
        assert places("x = 1", acting) == set(), acting


def test_a_function_that_acts_is_followed() -> None:
    cells = ("x = 1", "def save(v):\n    open('f', 'w').write(v)", "def both(v):\n    save(v)", "both(x)", "z = x")
    assert places(*cells) == {4}
