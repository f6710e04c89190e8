"""What a step adds to its cell: the promised figures, measured as the front end sees them, from request to idle."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest
from kernels import LiveKernel
from machine import Stopwatch, wait_for_quiet

pytestmark = pytest.mark.kernel

FIRST_SECONDS = 0.5
LATER_SECONDS = 0.02
CELLS = 30


def run(kernel: LiveKernel, code: str) -> Stopwatch:
    """Run a cell and say what it took."""
    with Stopwatch(kernel.manager.provisioner.pid) as watch:
        cell = kernel.run(code)
    assert not cell.error
    return watch


def added(kernel: LiveKernel, step: Callable[[int], str], base: LiveKernel | None = None) -> float:
    """Seconds that each of many cells takes more than a plain cell run before it, in the same kernel or in `base`.

    By the median of the wall clock; where the machine is busy, by the mean of the processor time (which is counted in
    steps of 10 ms, so that only sums of many tell).
    """
    wait_for_quiet()
    plain, steps = [], []
    for number in range(CELLS):
        plain.append(run(base or kernel, f"y = {number}"))
        steps.append(run(kernel, step(number)))
    if statistics.mean(watch.others for watch in (*plain, *steps)) > 0.5:
        return statistics.mean(watch.processor for watch in steps) - statistics.mean(watch.processor for watch in plain)
    return statistics.median(watch.wall for watch in steps) - statistics.median(watch.wall for watch in plain)


def test_the_first_step_of_a_kernel_adds_less_than_500_ms_where_no_project_is_yet(
    start_kernel: Callable[..., LiveKernel],
) -> None:
    taken = []
    for _ in range(3):
        kernel = start_kernel(extension=False)
        kernel.run("x = 1")
        wait_for_quiet()
        kernel.run("%load_ext jupyter_mlops")
        watch = run(kernel, "%%step first\ny = x + 1")
        taken.append(watch.processor if watch.busy else watch.wall)
        assert (kernel.folder / ".mlops" / "index.db").exists()
    assert statistics.median(taken) < FIRST_SECONDS, taken


@pytest.fixture(scope="module")
def kernel(start_kernel: Callable[..., LiveKernel]) -> LiveKernel:
    kernel = start_kernel()
    kernel.run("%%step first\nx = 1")
    kernel.run("%%step again\nw = 1")
    kernel.run("%mlops drain")
    return kernel


def test_a_later_executed_step_adds_less_than_20_ms(kernel: LiveKernel) -> None:
    assert added(kernel, lambda number: f"%%step s{number}\nz{number} = y + {number}") < LATER_SECONDS


def test_a_reused_step_adds_less_than_20_ms(kernel: LiveKernel) -> None:
    assert added(kernel, lambda _: "%%step again\nw = 1") < LATER_SECONDS


def test_a_cell_that_is_no_step_is_hardly_slowed(kernel: LiveKernel, start_kernel: Callable[..., LiveKernel]) -> None:
    bare = start_kernel(extension=False)
    assert added(kernel, lambda number: f"y = {number}", base=bare) < LATER_SECONDS / 4
