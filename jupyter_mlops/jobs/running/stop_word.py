"""What the index says to an execution that goes on: whether to stop, whoever asks for that and wherever it runs."""

from __future__ import annotations

import time

from jupyter_mlops.domain.run import Run
from jupyter_mlops.errors import StoreError
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.queue import LEASE

UNREACHABLE = "could not reach the index"


class StopWord:
    """Asked now and then: gives the word by which the execution of `run` is to stop, "" where it may go on.

    An index that several machines use, and that cannot be read for longer than a lease holds, may have given the run to
    another worker by then: that is such a word too.
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._store = store
        self._run = run
        self._read_at = time.monotonic()

    def __call__(self) -> str:
        try:
            word = self._store.queue.stop_word(self._run)
        except StoreError:  # its recorder tells of that
            return UNREACHABLE if self._may_be_another_s() else ""
        self._read_at = time.monotonic()
        return word

    def _may_be_another_s(self) -> bool:
        waited = time.monotonic() - self._read_at
        return self._run.worker_id is not None and not self._store.index.is_local and waited > LEASE.total_seconds()
