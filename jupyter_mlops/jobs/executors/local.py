"""Executes runs in threads of this process, with its store and its warm kernels; each kernel is a process of its own."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor

import psutil

from jupyter_mlops.domain.run import Run
from jupyter_mlops.execution.engine.stop import Stop
from jupyter_mlops.execution.kernels.warm.pool import Pool
from jupyter_mlops.jobs.running.job import execute_claimed
from jupyter_mlops.store.store import Store


class LocalExecutor:
    """An executor with as many threads as it has `slots`."""

    def __init__(self, store: Store, slots: int, pool: Pool | None = None) -> None:
        self._store = store
        self._pool = pool or Pool()
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="mlops-slot")
        self._stops: dict[str, Stop] = {}

    def submit(self, run: Run) -> Future[None]:
        """As in the protocol."""
        stop = self._stops[run.id] = Stop()
        return self._threads.submit(self._execute, run, stop)

    def _execute(self, run: Run, stop: Stop) -> None:
        try:
            execute_claimed(self._store, run, stop, self._pool)
        finally:
            self._stops.pop(run.id, None)

    def stop(self, run_id: str, word: str) -> bool:
        """As in the protocol."""
        stop = self._stops.get(run_id)
        if stop is not None:
            stop.ask_once(word)
        return stop is not None

    def interrupt(self, run_id: str, word: str) -> bool:
        """As in the protocol."""
        stop = self._stops.get(run_id)
        if stop is not None:
            stop.ask(word, "interrupted")
        return stop is not None

    def close(self, *, wait: bool) -> None:
        """As in the protocol."""
        forking = self._pool.pids()
        self._pool.close()
        self._threads.shutdown(wait=wait, cancel_futures=True)
        if not wait:
            _end_children(forking)


def _end_children(spared: set[int]) -> None:
    """What runs that did not stop in time have started, which would else outlive their record.

    The processes `spared` fork warm kernels, for other runners too: the pool ends what is ours.
    """
    for child in psutil.Process().children():
        if child.pid in spared:
            continue
        with contextlib.suppress(psutil.Error):
            for process in [*child.children(recursive=True), child]:
                process.kill()
