"""Executes runs by any `concurrent.futures.Executor`: in processes of this machine, or wherever that one has its own."""

from __future__ import annotations

import concurrent.futures
from functools import lru_cache
from pathlib import Path

from jupyter_mlops.domain.run import Run
from jupyter_mlops.execution.engine.stop import Stop
from jupyter_mlops.jobs.running.job import execute_claimed
from jupyter_mlops.store.store import Store


class FuturesExecutor:
    """An executor whose executions know their run and the project's folder `root` only, and open its store themselves."""

    def __init__(self, root: Path, executor: concurrent.futures.Executor) -> None:
        self._root = str(root)
        self._executor = executor

    def submit(self, run: Run) -> concurrent.futures.Future[None]:
        """As in the protocol."""
        return self._executor.submit(execute_there, self._root, run.id)

    def stop(self, run_id: str, word: str) -> bool:
        """As in the protocol: it reads that in the index."""
        return False

    def interrupt(self, run_id: str, word: str) -> bool:
        """As in the protocol: once its worker is gone, its run is another's, and it reads that in the index."""
        return False

    def close(self, *, wait: bool) -> None:
        """As in the protocol. What still runs ends by itself, as another takes it up."""
        self._executor.shutdown(wait=wait, cancel_futures=True)


def execute_there(root: str, run_id: str) -> None:
    """Execute a claimed run of the project in the folder `root`."""
    store = _store(root)
    execute_claimed(store, store.runs.get(run_id), Stop())


@lru_cache(maxsize=4)
def _store(root: str) -> Store:
    return Store.open(Path(root), create=False)
