"""Writes results behind the cell's back: one thread per kernel, which proves each result by a round trip before it counts.

A kernel killed in between loses only the reuse of that result.
"""

from __future__ import annotations

import atexit
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from jupyter_mlops.capture import codec
from jupyter_mlops.capture.digest import Undigestible, Walker
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Saving:
    """A result to be kept: `chunks` as `codec.dump` made them (copied), `digests` of the named values in it."""

    step_run_id: str
    chunks: list[bytes]
    display: bytes
    digests: dict[str, str]


class Saver:
    """Takes savings and other small work, in order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._idle = threading.Condition()
        self._waiting = 0
        self._thread = threading.Thread(target=self._work, name="jupyter-mlops-saver", daemon=True)
        self._thread.start()
        atexit.register(self.drain, 600.0)

    def save(self, saving: Saving) -> None:
        """Keep a result, later."""
        self.do(lambda: self._save(saving))

    def do(self, work: Callable[[], None]) -> None:
        """Do something later, after what was asked before."""
        with self._idle:
            self._waiting += 1
        self._queue.put(work)

    def drain(self, timeout: float) -> bool:
        """Wait until all is done; False where `timeout` seconds did not suffice."""
        with self._idle:
            return self._idle.wait_for(lambda: self._waiting == 0, timeout)

    def _work(self) -> None:
        while True:
            work = self._queue.get()
            try:
                work()
            except Exception:
                log.exception("Work behind a cell failed")
            finally:
                with self._idle:
                    self._waiting -= 1
                    self._idle.notify_all()

    def _save(self, saving: Saving) -> None:
        try:
            name = self._store.objects.put(*saving.chunks, signed=True)
            display = self._store.objects.put(saving.display, signed=True)
        except MLOpsError as error:
            self._give_up(saving, f"could not be stored: {error.message}")
            return
        broken = self._broken(name, saving.digests)
        if broken is not None:
            self._give_up(saving, broken)
            return
        self._store.steps.update_run(saving.step_run_id, result=name, display=display)

    def _broken(self, name: str, digests: dict[str, str]) -> str | None:
        """Why the stored values do not equal those that were there; None where they do."""
        try:
            values = codec.load(self._store.objects.get_signed(name))["names"]
            walker = Walker({})
            for key, digest in digests.items():
                if walker.fingerprint(key, values[key]).digest != digest:
                    return f"makes '{key}', which does not survive storing unchanged"
        except (MLOpsError, Undigestible) as error:
            return f"makes a value that cannot be read back ({error})"
        except Exception as error:  # noqa: BLE001 - unpickling runs the code of foreign types, which may raise anything
            return f"makes a value that cannot be read back ({type(error).__name__}: {error})"
        return None

    def _give_up(self, saving: Saving, reason: str) -> None:
        log.info("Step run %s is not reusable: it %s", saving.step_run_id, reason)
        self._store.steps.update_run(saving.step_run_id, unrepeatable=reason)
