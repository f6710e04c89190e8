"""How long something took, on a machine that may do other things at the same time.

The promised figures are of the wall clock. Where other processes took more than half a core meanwhile, the wall clock
measures them; then the processor time of the process itself counts, which holds all but its waiting for the disk.
"""

from __future__ import annotations

import os
import time
from types import TracebackType

import psutil

BUSY_CORES = 0.5


class Stopwatch:
    """Measures a block: the wall clock, the processor time of the process `pid`, and how many cores others used."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.wall = self.processor = self.others = 0.0

    def __enter__(self) -> Stopwatch:
        self._before = self._now()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        wall, process, ours, all_ = (after - before for after, before in zip(self._now(), self._before, strict=True))
        self.wall, self.processor = wall, process
        self.others = max(0.0, all_ - ours) / wall

    def _now(self) -> tuple[float, float, float, float]:
        times = self._process.cpu_times()
        process = times.user + times.system
        machine = psutil.cpu_times()
        mine = os.times()
        ours = process + (mine.user + mine.system if self._process.pid != os.getpid() else 0.0)
        return time.perf_counter(), process, ours, sum(machine) - machine.idle - getattr(machine, "iowait", 0.0)

    @property
    def busy(self) -> bool:
        """Whether others used so much that the wall clock does not tell."""
        return self.others > BUSY_CORES


def wait_for_quiet(seconds: float = 10.0) -> None:
    """Until others leave half a core free, at most so long: writers that earlier kernels woke import MLflow.

    Beside other processes of `pytest -n` there is no such moment to wait for.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    end = time.monotonic() + seconds
    while psutil.cpu_percent(0.25) / 100 * (psutil.cpu_count() or 1) > BUSY_CORES and time.monotonic() < end:
        pass
