"""Writes results and records behind the cell's back: one thread per kernel, which proves each result by a round trip.

A kernel killed in between loses only the reuse of that result.
"""

from __future__ import annotations

import atexit
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_mlops.capture import files, values
from jupyter_mlops.capture.digest import Fingerprint, Undigestible, Walker
from jupyter_mlops.capture.known import Known
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.store.digests import file_digest
from jupyter_mlops.store.store import Store

log = logging.getLogger(__name__)


@dataclass
class Saving:
    """A result to be kept: the packed values, the displays, what is known of each name, and the files written
    (path → digest at the step's end)."""

    step_run_id: str
    key: str
    packed: Any
    display: bytes
    known: dict[str, Known]
    files: Mapping[str, str] = field(default_factory=dict)


class Saver:
    """Takes savings and other small work, in order."""

    def __init__(self, store: Store, namespace: dict[str, Any]) -> None:
        self._store = store
        self._namespace = namespace
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._idle = threading.Condition()
        self._waiting = 0
        self._unsaved: list[Saving] = []
        self.notices: list[tuple[str, str]] = []
        """Messages with their hints that the author has not seen yet."""
        self._thread = threading.Thread(target=self._work, name="jupyter-mlops-saver", daemon=True)
        self._thread.start()
        atexit.register(self.drain, 600.0)

    def save(self, saving: Saving) -> None:
        """Keep a result, later."""
        self._unsaved.append(saving)
        self.do(lambda: self._save(saving))

    def do(self, work: Callable[[], None]) -> None:
        """Do something later, after what was asked before."""
        with self._idle:
            self._waiting += 1
        self._queue.put(work)

    def secure(self) -> None:
        """Copy what is not written yet and still lies in the notebook's own values: they may change now."""
        for saving in list(self._unsaved):
            saving.packed.secure()

    def is_saving(self, key: str) -> bool:
        """Whether a result of this key is on its way."""
        return any(saving.key == key for saving in list(self._unsaved))

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
            name = values.write(self._store.objects, saving.packed)
            display = self._store.objects.put(saving.display, signed=True)
            written = files.keep_files(self._store.objects, list(saving.files))
        except MLOpsError as error:
            self._give_up(saving, f"could not be stored: {error.message}")
            self.notices.append((f"A result could not be stored, so its step runs again: {error.message}", error.hint))
            return
        finally:
            self._unsaved.remove(saving)
        changed = [
            path
            for path, digest in saving.files.items()
            if not digest.startswith("folder:") and file_digest(path) != digest
        ]
        if changed:
            self._give_up(saving, f"writes a file that was changed before it was stored ({changed[0]})")
            return
        known = self._proven(name, saving)
        self._store.steps.update_run(
            saving.step_run_id,
            result=name,
            display=display,
            files=written,
            known={item: it.to_json() for item, it in known.items()},
        )

    def _proven(self, name: str, saving: Saving) -> dict[str, Known]:
        """What is known of the names, where those that do not come back as they were are lost."""
        known = dict(saving.known)
        try:
            stored = values.Values.open(self._store.objects, name, self._namespace)
        except MLOpsError as error:
            return {item: replace(it, lost=f"{item}: {error.message}") for item, it in known.items()}
        left = {item for item, it in known.items() if not it.lost} & stored.names
        while left:
            item = left.pop()
            group = {item, *known[item].shares}
            left -= group
            broken = self._broken(stored, group & stored.names, known)
            if broken is not None:
                known.update({other: replace(known[other], lost=broken) for other in group if other in known})
        return known

    def _broken(self, stored: Any, group: set[str], known: Mapping[str, Known]) -> str | None:
        """Why the stored values of a group do not equal those that were there; None where they do."""
        try:
            loaded = stored.load(sorted(group))
            walker = Walker(self._namespace)
            seen = {}
            for item in sorted(group):
                seen[item] = walker.fingerprint(item, loaded[item])
                if seen[item].digest != known[item].digest:
                    return f"{item}: it does not survive storing unchanged"
            shape = known[min(group)].shape
            if shape and walker.fingerprint("", [loaded[item] for item in sorted(group)]).digest != shape:
                return f"{min(group)}: what it shares with {', '.join(sorted(group)[1:])} does not survive storing"
            apart = _apart(seen)
            if apart is not None:
                return f"{apart}: what it shares with {', '.join(sorted(group - {apart}))} does not survive storing"
        except (MLOpsError, Undigestible) as error:
            return f"{min(group)}: it cannot be read back ({error})"
        except Exception as error:  # noqa: BLE001 - unpickling runs the code of foreign types, which may raise anything
            return f"{min(group)}: it cannot be read back ({type(error).__name__}: {error})"
        return None

    def _give_up(self, saving: Saving, reason: str) -> None:
        log.info("Step run %s is not reusable: it %s", saving.step_run_id, reason)
        self._store.steps.update_run(saving.step_run_id, unrepeatable=reason)


def _apart(seen: Mapping[str, Fingerprint]) -> str | None:
    """A name of a group that is not reached from the first by sharing; None where all hang together."""
    first, *left = seen
    waiting = [first]
    while waiting:
        this = seen[waiting.pop()]
        reached = [name for name in left if this.shares_with(seen[name])]
        left = [name for name in left if name not in reached]
        waiting += reached
    return left[0] if left else None
