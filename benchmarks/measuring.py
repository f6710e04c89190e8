"""What the benchmarks share: a kernel whose cells are timed from outside, temporary projects, medians."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from rich.console import Console


class BenchmarkError(Exception):
    """A benchmark whose tables cannot be trusted or made: what is wrong, and a hint."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Kernel:
    """A real IPython kernel. `seconds(code)` is from the request to the kernel's word that it is idle again."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client

    def seconds(self, code: str) -> float:
        """How long a cell took. A cell that fails ends the benchmark: its time would mean nothing."""
        began = time.perf_counter()
        reply = self._client.execute_interactive(code, output_hook=lambda message: None, timeout=300)
        took = time.perf_counter() - began
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"{reply['content']['ename']}: {reply['content']['evalue']} in:\n{code}")
        return took


@contextmanager
def started_kernel(folder: Path) -> Iterator[Kernel]:
    """A kernel that works in `folder`."""
    manager = KernelManager()
    manager.start_kernel(cwd=str(folder), stderr=subprocess.DEVNULL)  # its advice on transports is not our matter
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
        manager.cleanup_resources()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder in no project and no git repository, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mlops-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Says on stderr what is being done, where that is a terminal: a line that is gone afterwards."""
    with Console(stderr=True).status(text) as status:
        yield status.update


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    """The value that 95 of 100 do not pass."""
    return statistics.quantiles(values, n=100, method="inclusive")[94]


def milliseconds(value: float) -> str:
    """Seconds, shown in milliseconds."""
    return f"{value * 1000:,.1f} ms"


def ratio(value: float, base: float) -> str:
    """How many times `base` is `value`."""
    return f"{value / base:.2f}x"
