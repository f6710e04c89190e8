"""Writes results and records behind the cell's back: one thread per kernel, which proves each result by a round trip,
but for plain values: what is read later is proven against its digest in any case.

It waits for a moment in which no cell begins or ends, so as not to hold up the reply to one, and then writes all there is
in few transactions: first the records, then the results. A kernel killed in between loses only the reuse of a result.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from jupyter_mlops.capture import values
from jupyter_mlops.capture.digest.content import Fingerprint, Undigestible, Walker
from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.capture.results import files
from jupyter_mlops.capture.values import differing
from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.secrets.known import redact
from jupyter_mlops.store.files.digests import file_digest
from jupyter_mlops.store.store import Store

log = logging.getLogger(__name__)
QUIET = 0.03
"""Seconds without the begin or end of a cell after which work is done."""
LATEST = 0.5
"""Seconds after which it is done in any case."""
LARGE = 4 << 20
"""From this many bytes on a result is written at once, as is one with files: the next cell may change what is not."""


@dataclass
class Saving:
    """A result to be kept: the packed values, the displays, what is known of each name, and the files written
    (path → digest at the step's end)."""

    step_run_id: str
    key: str
    packed: values.Packed
    display: bytes
    known: dict[str, ValueFacts]
    files: Mapping[str, str] = field(default_factory=dict)
    urgent: bool = False
    plain: frozenset[str] = frozenset()
    """Names whose values come back as they are, whatever they are: numbers, texts and the like."""
    kept: dict[str, str] | None = None
    """Path → object of these files, once they are in the store."""


class Saver:
    """Takes records, savings and other small work; each kind is done in the order in which it was asked for."""

    def __init__(self, store: Store, namespace: dict[str, Any]) -> None:
        self._store = store
        self._namespace = namespace
        self._changed = threading.Condition()
        self._records: dict[str, tuple[StepRun, str]] = {}
        self._work: deque[Callable[[], None]] = deque()
        self._results: dict[str, dict[str, Any]] = {}
        """What is known of results that are stored, and not recorded yet."""
        self._unsaved: list[Saving] = []
        self._insecure: list[Saving] = []
        self._first_result = self._stirred = 0.0
        self._since: float | None = None
        """Since when the oldest of what is to be done waits; None where there is nothing to do."""
        self._waiting = 0
        self._process = os.getpid()
        self.notices: list[tuple[str, str]] = []
        """Messages with their hints that the author has not seen yet."""
        self._thread = threading.Thread(target=self._go_on, name="jupyter-mlops-saver", daemon=True)
        self._thread.start()
        atexit.register(self.drain, 600.0)

    def stir(self) -> None:
        """A cell begins or ends."""
        self._stirred = time.monotonic()

    def record(self, step_run: StepRun, code: str) -> None:
        """Put a step run of this code into the index, or what is new of it, later."""
        with self._changed:
            self._records[step_run.id] = step_run, code
            self._asked()

    def save(self, saving: Saving) -> None:
        """Keep a result, later."""
        self._unsaved.append(saving)
        self._insecure.append(saving)
        self.do(
            lambda: self._save(saving), at_once=saving.urgent or bool(saving.files) or saving.packed.nbytes >= LARGE
        )

    def do(self, work: Callable[[], None], *, at_once: bool = False) -> None:
        """Do something later, after what was asked before."""
        with self._changed:
            self._work.append(work)
            self._asked(at_once)

    def _asked(self, at_once: bool = False) -> None:
        if self._since is None or at_once:
            self._since = 0.0 if at_once else time.monotonic()
            self._changed.notify_all()

    def secure(self) -> None:
        """Copy what is not written yet and still lies in the notebook's own values and files: they may change now."""
        while self._insecure:
            saving = self._insecure.pop()
            saving.packed.secure()
            if saving.files and saving.kept is None:
                with contextlib.suppress(MLOpsError):  # the thread meets it too, and tells
                    self._keep_files(saving)

    def is_saving(self, key: str) -> bool:
        """Whether a result of this key is on its way."""
        return any(saving.key == key for saving in list(self._unsaved))

    def drain(self, timeout: float) -> bool:
        """Wait until all is done; False where `timeout` seconds did not suffice. A process that was forked has no saver."""
        if os.getpid() != self._process:
            return True
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: self._since is None, timeout)
            finally:
                self._waiting -= 1

    def _pause(self) -> float | None:
        """Seconds to wait before the next piece of work; None until there is any."""
        if self._since is None:
            return None
        if self._waiting:
            return 0.0
        due = min(self._stirred + QUIET, self._since + LATEST)
        return max(0.0, due - time.monotonic())

    def _go_on(self) -> None:
        while True:
            with self._changed:
                while (pause := self._pause()) != 0.0:
                    self._changed.wait(pause)
                records, self._records = list(self._records.values()), {}
                work = self._work.popleft() if self._work else None
            if records:
                self._guarded(partial(self._record, records))
            if work is not None:
                self._guarded(work)
            if self._results and (not self._work or time.monotonic() > self._first_result + LATEST):
                self._guarded(self._record_results)
            with self._changed:
                if not (self._records or self._work or self._results):
                    self._since = None
                    self._changed.notify_all()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("Work behind a cell failed")

    def _record(self, records: list[tuple[StepRun, str]]) -> None:
        """All in one transaction; where one of them cannot be recorded, the others are."""
        try:
            self._store.steps.journal(records, now=self._store.now())
        except Exception:
            if len(records) == 1:
                raise
            for each in records:
                self._guarded(partial(self._record, [each]))

    def _save(self, saving: Saving) -> None:
        try:
            told = self._stored(saving)
        except BaseException:
            self._unsaved.remove(saving)
            raise
        if told is None:
            self._unsaved.remove(saving)
            return
        if not self._results:
            self._first_result = time.monotonic()
        self._results[saving.step_run_id] = told

    def _record_results(self) -> None:
        results, self._results = self._results, {}
        try:
            self._store.steps.update_runs(results)
        finally:
            for saving in [saving for saving in self._unsaved if saving.step_run_id in results]:
                self._unsaved.remove(saving)

    def _stored(self, saving: Saving) -> dict[str, Any] | None:
        """Store a result, and give what is to be recorded of it; None where it cannot be kept, which is then told."""
        try:
            name = values.write(self._store.objects, saving.packed)
            display = self._store.objects.put(saving.display, signed=True)
            changed = self._keep_files(saving) if saving.kept is None else None
        except MLOpsError as error:
            self._give_up(saving, Reason(ReasonCode.NOT_STORED, because=error.message))
            self.notices.append((f"A result could not be stored, so its step runs again: {error.message}", error.hint))
            return None
        if saving.kept is None:
            self._give_up(saving, Reason(ReasonCode.CHANGED_WRITE, str(changed)))
            return None
        known = self._proven(name, saving)
        return {
            "result": name,
            "display": display,
            "files": saving.kept,
            "known": redact({item: it.to_json() for item, it in known.items()}),
        }

    def _keep_files(self, saving: Saving) -> str | None:
        """Put the files written into the store, where they are still as the step left them; else one that is not."""
        kept = files.keep_files(self._store.objects, list(saving.files))
        for path, digest in saving.files.items():
            if not digest.startswith("folder:") and file_digest(path) != digest:
                return path
        saving.kept = kept
        return None

    def _proven(self, name: str, saving: Saving) -> dict[str, ValueFacts]:
        """What is known of the names, where those that do not come back as they were are lost."""
        known = dict(saving.known)
        if saving.plain.issuperset(known):
            return known
        try:
            stored = values.Values.open(self._store.objects, name, self._namespace)
        except MLOpsError as error:
            return {item: replace(it, lost=f"{item}: {error.message}") for item, it in known.items()}
        left = ({item for item, it in known.items() if not it.lost} & stored.names) - saving.plain
        while left:
            item = left.pop()
            group = {item, *known[item].shares}
            left -= group
            broken = self._broken(stored, group & stored.names, known)
            if broken is not None:
                known.update({other: replace(known[other], lost=broken) for other in group if other in known})
        return known

    def _broken(self, stored: values.Values, group: set[str], known: Mapping[str, ValueFacts]) -> str | None:
        """Why the stored values of a group do not equal those that were there; None where they do."""
        try:
            loaded = stored.load(sorted(group))
            walker = Walker(self._namespace)
            seen = {}
            for item in sorted(group):
                seen[item] = walker.fingerprint(item, loaded[item])
                if seen[item].digest != known[item].digest:
                    hides = ", ".join(known[item].hides)
                    left_out = f": its pickled form leaves out {hides}" if hides else ""
                    where = self._part(stored, item, loaded)[0] or item
                    return f"{where}: it does not survive storing unchanged{left_out}"
            shape = known[min(group)].shape
            if shape and walker.fingerprint("", [loaded[item] for item in sorted(group)]).digest != shape:
                return self._torn(stored, sorted(group)[:1], sorted(group)[1:], loaded)
            apart = _apart(seen)
            if apart is not None:
                return self._torn(stored, *apart, loaded)
        except (MLOpsError, Undigestible) as error:
            return f"{min(group)}: it cannot be read back ({error})"
        except Exception as error:  # noqa: BLE001 - unpickling runs the code of foreign types, which may raise anything
            return f"{min(group)}: it cannot be read back ({type(error).__name__}: {error})"
        return None

    def _part(self, stored: values.Values, item: str, loaded: Mapping[str, Any]) -> tuple[str, str]:
        names, pickled = stored.pickled(item)
        return differing.part(pickled, {name: loaded[name] for name in names}, self._namespace)

    def _torn(self, stored: values.Values, names: list[str], others: list[str], loaded: Mapping[str, Any]) -> str:
        one, other = self._part(stored, names[0], loaded)
        return f"{one or ', '.join(names)}: what it shares with {other or ', '.join(others)} does not survive storing"

    def _give_up(self, saving: Saving, reason: Reason) -> None:
        log.info("Step run %s is not reusable: %s", saving.step_run_id, reason)
        self._store.steps.update_run(saving.step_run_id, unrepeatable=Reasons.of([reason]))


def _apart(seen: Mapping[str, Fingerprint]) -> tuple[list[str], list[str]] | None:
    """The names of a group that are reached from the first by sharing, and those that are not; None where all are."""
    first, *left = seen
    waiting, met = [first], [first]
    while waiting:
        this = seen[waiting.pop()]
        reached = [name for name in left if this.shares_with(seen[name])]
        left = [name for name in left if name not in reached]
        waiting += reached
        met += reached
    return (sorted(met), left) if left else None
