"""A job whose cells print much: head and tail in its notebook, all of it beside, whatever becomes of kernel or runner."""

from __future__ import annotations

from pathlib import Path

import pytest
from notebooks import code, read, shown, write_notebook

from jupyter_mlops.domain.run import RunOptions
from jupyter_mlops.errors import InputError, KernelDiedError
from jupyter_mlops.execution.notebook.rebuild import rebuild
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel
LIMIT = 2000


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mlops.toml").write_text(f"[output]\nlimit = {LIMIT}\n")
    return tmp_path


PRINTS = "for number in range(3000):\n    print('line', number)"


def test_much_output_goes_beside_the_notebook_and_its_step_is_not_reused(project: Path) -> None:
    path = write_notebook(
        project / "a.ipynb",
        code("%%step little\nprint('little')"),
        code("%%step much\nx = 1\n" + PRINTS),
        code("%%step bar\nfor number in range(3000):\n    print(f'\\r{number:05d} of a bar', end='')"),
    )
    whole = "".join(f"line {number}\n" for number in range(3000))
    for number in (1, 2):
        run_notebook(path, {})
        cells = read(project / "runs" / f"a-{number}.ipynb")["cells"]
        text = shown(cells[1])
        assert text.startswith("line 0\n")
        assert text.endswith("line 2999\n")
        assert len(text) < 2 * LIMIT
        assert f"is in a-{number}.outputs/cell-2.txt" in text
        assert (project / "runs" / f"a-{number}.outputs" / "cell-2.txt").read_text() == whole
        assert [path.name for path in (project / "runs" / f"a-{number}.outputs").iterdir()] == ["cell-2.txt"]
        assert (shown(cells[0]), shown(cells[2])) == ("little\n", "02999 of a bar")
    with Store.open(project) as store:
        steps = {run.step: run for run in store.steps.runs(run_id=store.runs.get(2).id)}
        assert {name: run.reused_from is not None for name, run in steps.items()} == {
            "little": True,
            "much": False,
            "bar": True,
        }
        assert "prints_much" in repr(steps["much"]).lower()
        again = rebuild(store.journals.read(store.runs.get(2).id)).notebook.cells
        assert [shown(cell) for cell in again] == [shown(cell) for cell in cells]


def test_a_limit_that_is_no_number_is_told_before_a_kernel_starts(project: Path) -> None:
    (project / "mlops.toml").write_text('[output]\nlimit = "much"\n')
    path = write_notebook(project / "a.ipynb", code("x = 1"))
    with pytest.raises(InputError, match="limit in"):
        run_notebook(path, {})


DYING = """import os, signal
from IPython.display import display
for number in range(200):
    print('word', number, flush=True)
display('shown')
print('about to die', flush=True)
os.kill(os.getpid(), signal.SIGKILL)"""


@pytest.mark.parametrize("times", range(3))
def test_what_was_flushed_or_displayed_before_a_kernel_was_killed_is_kept(tmp_path: Path, times: int) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code(DYING))
    with pytest.raises(KernelDiedError) as raised:
        run_notebook(path, {}, options=RunOptions(kernel="ordinary"))
    cells = read(tmp_path / "runs" / "a-1.ipynb")["cells"]
    text = shown(next(cell for cell in cells if "about to die" in "".join(cell["source"])))
    words = "".join(f"word {number}\n" for number in range(200))
    assert text.startswith(words + "'shown'about to die\n")
    told = "\n".join([raised.value.message, *raised.value.details["traceback"], raised.value.hint])
    assert told.count("Did it run out of memory?") == 1
