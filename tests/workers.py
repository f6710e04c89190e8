"""For tests with workers in processes of their own: starting them, waiting for them, and leaving none behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from jupyter_mlops.domain.run import Run
from jupyter_mlops.store.files.processes import is_alive
from jupyter_mlops.store.store import Store

SECONDS = 120.0


def until(condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Wait for something another process does; gives what the condition did."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it never happened")


def ended(store: Store, run: Run) -> Run:
    """The run, once it has ended."""
    until(lambda: store.runs.get(run.id).status.ended)
    return store.runs.get(run.id)


def start_worker(folder: Path, *words: str, log: Path | None = None, **environment: str) -> subprocess.Popen[bytes]:
    """`jupyter mlops worker WORDS`, in a session of its own."""
    with contextlib.ExitStack() as stack:
        output: Any = subprocess.DEVNULL if log is None else stack.enter_context(open(log, "ab"))
        return subprocess.Popen(
            [sys.executable, "-m", "jupyter_mlops.cli.main", "worker", *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **environment},
        )


def kill(pid: int) -> None:
    """SIGKILL, for a process and nothing that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()


@contextlib.contextmanager
def project(folder: Path) -> Iterator[Store]:
    """The store of a project whose workers are ended afterwards, and what they started with them."""
    with Store.open(folder) as store:
        try:
            yield store
        finally:
            for worker in store.queue.workers():
                if is_alive(worker.pid, worker.pid_started):
                    end_tree(worker.pid)


def end_tree(pid: int) -> None:
    """Kill a process and all that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        found = [process, *process.children(recursive=True)]
        for each in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(found, timeout=10)
