"""The one writer process of a project: takes messages from the outbox and mirrors them into MLflow.

`python -m jupyter_mlops.tracking.writer ROOT`, started by `jupyter_mlops.tracking.wake`. It holds a lock while it works,
lingers for more, and ends by itself. Killed at any moment it loses nothing: messages stay until they are delivered, and
delivering one twice changes nothing.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.store.backup.rolling import back_up, is_due
from jupyter_mlops.store.files.locks import try_file_lock
from jupyter_mlops.store.files.processes import keep_memory
from jupyter_mlops.tracking import lock_path

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

LINGER_SECONDS = 10.0
LOOK_SECONDS = 0.05
LEISURE_SECONDS = 20.0
"""How long at most a new writer lets runs go first."""
TRY_AGAIN_SECONDS = 60.0
BUSY_LOOK_SECONDS, BUSY_PERCENT = 0.25, 90.0

log = logging.getLogger("jupyter_mlops.tracking.writer")


def _is_busy() -> bool:
    """Whether all processors are at work, as seen for a moment."""
    import psutil

    return psutil.cpu_percent(BUSY_LOOK_SECONDS) > BUSY_PERCENT


def main() -> None:
    """Entry point."""
    root = Path(sys.argv[1])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # MLflow's own patience with a server that does not answer is minutes; ours is the spool.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with contextlib.suppress(AttributeError, OSError):
        os.nice(5)  # cells and jobs come first
    keep_memory()
    work(root)


def work(root: Path, linger: float = LINGER_SECONDS) -> None:
    """Deliver until nothing new has come for `linger` seconds. Returns at once where another writer is at work."""
    while True:
        with try_file_lock(lock_path(root)) as free:
            if not free:
                return
            undelivered = _deliver_until_quiet(root, linger)
        # A message posted while this process was about to let go of the lock woke nobody: look once more.
        if not _newer(root, undelivered):
            return


def _deliver_until_quiet(root: Path, linger: float) -> int:
    """Returns the id of the newest message seen."""
    from jupyter_mlops.store import open_store
    from jupyter_mlops.tracking.delivery import Delivery

    log.info("writer %d started", os.getpid())
    with open_store(root, create=False) as store:
        wait_for_leisure(store)
        delivery, backups = Delivery(store), _Backups(store)
        token = None
        began = quiet_since = time.monotonic()
        while True:
            current = store.index.change_token()
            if current != token or delivery.due(time.monotonic()):
                token = current
                if delivery.round(time.monotonic()):
                    if quiet_since == began:
                        gc.freeze()  # what MLflow consists of stays: no use to look through it again and again
                    quiet_since = time.monotonic()
                backups.see_to()
            if delivery.gave_up:
                log.warning("%d messages remain for the next writer", store.outbox.size())
                break
            if time.monotonic() - quiet_since > linger and not delivery.waiting:
                break
            time.sleep(LOOK_SECONDS)
        backups.see_to()
        log.info("writer %d ends; %d messages delivered", os.getpid(), delivery.delivered)
        return delivery.newest


class _Backups:
    """This process is there whenever something was recorded, and behind all work: it copies the index now and then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tried = float("-inf")

    def see_to(self) -> None:
        """Make one where it is due; one that could not be made is not tried again at once."""
        if self._store.place.index is not None or time.monotonic() - self._tried < TRY_AGAIN_SECONDS:
            return
        if is_due(self._store.folder, self._store.now()):
            self._tried = time.monotonic()
            back_up(self._store.folder, self._store.now())


def wait_for_leisure(
    store: Store, is_busy: Callable[[], bool] = _is_busy, clock: Callable[[], float] = time.monotonic
) -> None:
    """Before MLflow is imported, which takes seconds of a processor: let runs that need all processors go first."""
    end = clock() + LEISURE_SECONDS
    while clock() < end and store.runs.at_work() and is_busy():
        pass


def _newer(root: Path, newest: int) -> bool:
    from jupyter_mlops.store import open_store

    with open_store(root, create=False) as store:
        messages = store.outbox.take(limit=1_000_000)
    return bool(messages) and messages[-1].id > newest


if __name__ == "__main__":
    main()
