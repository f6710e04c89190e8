"""Values that change between cells: by a thread, a task or a timer that an earlier cell began."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from kernels import LiveKernel

pytestmark = pytest.mark.kernel

THREAD = """
import threading, time
seen = []
def work():
    while len(seen) < 200:
        seen.append(1)
        time.sleep(0.02)
thread = threading.Thread(target=work, daemon=True)
thread.start()
"""
TASK = """
import asyncio
seen = []
async def work():
    while len(seen) < 200:
        seen.append(1)
        await asyncio.sleep(0.02)
task = asyncio.ensure_future(work())
"""
TIMER = """
from tornado.ioloop import PeriodicCallback
seen = []
clock = PeriodicCallback(lambda: seen.append(1), 20)
clock.start()
"""


@pytest.mark.parametrize("begin", [THREAD, TASK, TIMER], ids=["thread", "task", "timer"])
def test_what_goes_on_beside_the_cells_is_seen(start_kernel: Callable[..., LiveKernel], begin: str) -> None:
    kernel = start_kernel(MLOPS_CAPTURE="all")
    kernel.run(begin)
    count = "found = len(seen)\nfound"
    first = int(kernel.run(count).text)
    kernel.run("%mlops drain")
    kernel.run("import time\ntime.sleep(0.2)" if begin == THREAD else "await asyncio.sleep(0.2)")
    again = kernel.run(count)
    assert not again.reused
    assert int(again.text) > first


def test_what_a_timer_may_have_changed_is_not_taken_from_the_record_after_a_restart(
    start_kernel: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    cells = ["seen = []", "import asyncio\nasyncio.get_running_loop().call_later(0.2, seen.append, 1);", "print(seen)"]
    notebook = tmp_path / "a.ipynb"
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code, id=f"c{n}") for n, code in enumerate(cells)])
    nbformat.write(made, notebook)
    settings = {"MLOPS_CAPTURE": "all", "JPY_SESSION_NAME": str(notebook)}
    kernel = start_kernel(**settings)
    for number, code in enumerate(cells):
        kernel.run(code, cell_id=f"c{number}")
        kernel.run("await asyncio.sleep(0.4)" if number == 1 else "")
    kernel.run("%mlops drain")
    again = start_kernel(**settings)
    shown = again.run("print(seen)", cell_id="c2")
    assert "[]" not in shown.text
    assert "'seen' is not in this kernel" in shown.text
