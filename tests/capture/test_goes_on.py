"""Values that change between cells: by a thread or a task that an earlier cell began."""

from __future__ import annotations

from collections.abc import Callable

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


@pytest.mark.parametrize("begin", [THREAD, TASK], ids=["thread", "task"])
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
