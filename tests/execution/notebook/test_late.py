"""What an earlier cell's task prints or displays while later cells run stands in the cell whose task it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from notebooks import code, read, shown, write_notebook

from jupyter_mlops.execution.notebook.rebuild import rebuild
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel

BEGINS = """import asyncio
from IPython.display import display
async def later():
    await asyncio.sleep(0.2)
    print('of the task')
    display('shown by the task')
task = asyncio.create_task(later())
print('begun')"""


def test_a_tasks_text_is_in_the_cell_that_began_it_and_so_the_journal_has_it(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb",
        code(BEGINS),
        code("await asyncio.sleep(0.6)\nprint('of the second')"),
        code("print('third')"),
    )
    run_notebook(path, {})
    cells = read(tmp_path / "runs" / "a-1.ipynb")["cells"]
    assert [shown(cell) for cell in cells] == [
        "begun\nof the task\n'shown by the task'",
        "of the second\n",
        "third\n",
    ]
    with Store.open(path) as store:
        again = rebuild(store.journals.read(store.runs.get(1).id)).notebook.cells
    assert [shown(cell) for cell in again] == [shown(cell) for cell in cells]
