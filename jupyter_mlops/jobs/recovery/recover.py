"""A run whose process is gone, or could not save its notebook: that is written from its journal, and the index says so."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from jupyter_mlops import tracking
from jupyter_mlops.analysis.pipeline.cells import cells_of, steps_of
from jupyter_mlops.domain.run import Run, RunFailure, RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import MLOpsError, StoreError
from jupyter_mlops.execution.notebook.journal import CELL_ENDED, CELL_STARTED, RUN_ENDED
from jupyter_mlops.execution.notebook.nodes import NotebookNode
from jupyter_mlops.execution.notebook.outcome import AGAIN, NotebookOutcome, note_error, of_open_steps, unsaved
from jupyter_mlops.execution.notebook.output_file import COST_FACTOR, LEAST_SECONDS, Save, file_saver
from jupyter_mlops.execution.notebook.papermill_metadata import Ledger
from jupyter_mlops.execution.notebook.rebuild import Rebuilt, rebuild
from jupyter_mlops.jobs.queue.prepared import mark_failure
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.files.locks import try_file_lock
from jupyter_mlops.store.store import Store

logger = logging.getLogger(__name__)

LOST = RunFailure("runner_lost", "The process that executed this run is gone.", ename="RunnerLost")
FINISHING = timedelta(seconds=30)
"""A process that has written the end of its run into the journal may take so long to write it into the index too."""
LATER = "The executed notebook was written later, from the run's journal."


def end_by_journals(store: Store, at_work: Iterable[Run], *, now: datetime) -> list[Run]:
    """Runs `at_work` that ended, but whose process could not write that into the index (its disk was full, it was killed just
    then): what their journals say stands. Returns those runs as they were.
    """
    ended = []
    for run in at_work:
        if run.status is not Status.RUNNING or run.kind is RunKind.SESSION:
            continue
        is_there = processes.is_alive(run.pid, run.pid_started)
        if end_by_journal(store, run, before=now - FINISHING if is_there else None):
            ended.append(run)
    return ended


def end_by_journal(store: Store, run: Run, *, before: datetime | None = None) -> bool:
    """End a run as its journal says that it ended (`before` that time); False where it says nothing of the kind."""
    event = store.journals.last(run.id)
    if event is None or event["event"] != RUN_ENDED:
        return False
    at = datetime.fromisoformat(event["at"])
    if before is not None and at > before:
        return False
    error = RunFailure(**event["error"]) if event.get("error") else None
    if event.get("unsaved"):
        store.journals.owe(run.id, at)
    status = Status(event["status"])
    steps, well = of_open_steps(status, error), _ended_well(store, run.id)
    if not store.runs.finish(run.id, status, now=at, error=error, steps=steps, ended_well=well):
        return False
    store.journals.make_room(run.id)
    return True


def _ended_well(store: Store, run_id: str) -> dict[str, float]:
    """The cells that a run's journal says completed: id → seconds."""
    ids: dict[int, str] = {}
    found: dict[str, float] = {}
    for event in store.journals.read(run_id):
        if event["event"] == CELL_STARTED:
            ids[event["cell"]] = str(event.get("id"))
        elif event["event"] == CELL_ENDED and event["status"] == "completed":
            found[ids.get(event["cell"], "")] = event["duration"]
    return found


def recover(store: Store, run: Run, *, now: datetime) -> None:
    """A run was marked lost: end what is left of its kernel, and write its notebook as far as it came.

    Finished cells keep their outputs, the one it was in is marked, and no cell says that it completed which did not.
    `run` is the run as it was before it was lost. What cannot be written now, such as to a disk that is full, `pay` does.
    """
    try:
        store.journals.make_room(run.id)
        rebuilt = rebuild(store.journals.read(run.id))
        _end_kernel(rebuilt)
        error = _error(rebuilt)
        if error.cell_index is not None:
            store.runs.update(run.id, error=error, told_at=now)
        _write(store, run, rebuilt, until=store.now())
        store.journals.paid(run.id)
    except (StoreError, OSError) as fault:
        store.journals.owe(run.id, now + timedelta(seconds=LEAST_SECONDS))
        why = str(fault)
        logger.warning("The notebook of run %s cannot be written from its journal yet: %s", run.number, why)
        with contextlib.suppress(MLOpsError, OSError):
            _tell(store, run.id, lambda error: unsaved(error, why), now)
    except (MLOpsError, ValueError, LookupError) as fault:
        # A journal that cannot be read: the run is lost all the same.
        logger.warning("The notebook of run %s cannot be written from its journal: %s", run.number, fault)


def pay(store: Store, *, now: datetime) -> None:
    """Write the notebooks of ended runs that could not be written then, where that is possible by now.

    One that fails again is let alone for a while, the longer the more trying costs.
    """
    if not store.journals.owed(now):
        return
    try:
        with try_file_lock(store.folder / "owed.lock") as is_ours:
            for run_id in store.journals.owed(now) if is_ours else ():
                _pay(store, run_id, now)
    except StoreError as fault:
        logger.warning("%s %s", fault.message, fault.hint)


def _pay(store: Store, run_id: str, now: datetime) -> None:
    began = time.monotonic()
    try:
        run = store.runs.get(run_id)
        if not run.status.ended:
            return
        if _write(store, run, rebuild(store.journals.read(run_id)), until=run.ended_at or now):
            logger.info("The notebook of run %s was written from its journal: %s", run.number, run.output_path)
            _tell(store, run_id, lambda error: replace(error, message=f"{error.message} {LATER}"), now)
    except (StoreError, OSError):
        wait = max(LEAST_SECONDS, COST_FACTOR * (time.monotonic() - began))
        store.journals.owe(run_id, now + timedelta(seconds=wait))
        return
    except (MLOpsError, ValueError, LookupError) as fault:
        logger.warning("The notebook of run %s cannot be written from its journal: %s", run_id, fault)
    store.journals.paid(run_id)


def _tell(store: Store, run_id: str, changed: Callable[[RunFailure], RunFailure], now: datetime) -> None:
    """Say in the index, and to tracking, more of why a run ended."""
    error = store.runs.get(run_id).error
    if error is not None:
        store.runs.update(run_id, error=changed(error), told_at=now)
        tracking.wake(store.root)


def _error(found: Rebuilt) -> RunFailure:
    """Why the run is lost, and where."""
    if found.notebook is None or found.running is None:
        return LOST
    steps, _ = steps_of(cells_of(found.notebook))
    names = {step.cell.index: step.spec.name for step in steps}
    return replace(LOST, cell_index=found.running, step=names.get(found.running))


def _write(store: Store, run: Run, rebuilt: Rebuilt, *, until: datetime) -> bool:
    """Write the executed notebook. False where that is not to be: its own process saved it whole, its journal is not, or
    what is there is newer: it was written after `until`, or its execution began later.

    Raises `StoreError` or `OSError` where it cannot be written.
    """
    outcome = _end(rebuilt)
    if outcome is None or rebuilt.notebook is None or rebuilt.events_lost or not run.output_path:
        return False
    save = _saver(store, run.output_path, rebuilt.began, until)
    if save is None:
        return False
    _finish(rebuilt, rebuilt.notebook, outcome)
    save(rebuilt.notebook)
    return True


def _end(found: Rebuilt) -> NotebookOutcome | None:
    """With what end the notebook is to be saved; None where it was saved whole."""
    if found.status is None or found.status is Status.LOST:
        return NotebookOutcome(Status.LOST, _error(found), AGAIN)
    return found.unsaved


def _saver(store: Store, output: str, start: datetime | None, until: datetime) -> Save | None:
    """How to write to where a run's notebook was to go; None where what is there is newer than the run from `start` on."""
    if ":" in output:
        from jupyter_mlops.execution.notebook.papermill_io import began, is_remote, remote_saver

        if is_remote(output):
            there = began(output)
            is_newer = there is not None and start is not None and there > start
            return None if is_newer else remote_saver(output)
    path = store.root / output
    if path.exists() and path.stat().st_mtime > until.timestamp():
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    return file_saver(path)


def _finish(rebuilt: Rebuilt, notebook: NotebookNode, outcome: NotebookOutcome) -> None:
    """Let the notebook say how it ended, as its own process would have."""
    at = rebuilt.at
    assert at is not None
    ledger = Ledger(notebook, lambda: at)
    index = outcome.error.cell_index if outcome.error is not None else None
    if rebuilt.running is not None:
        index = rebuilt.running
        ledger.resume(index)
        ledger.cell_ended(index, failed=True)
    if index is not None:
        note_error(notebook.cells[index], outcome)
    ledger.resume()
    ledger.end(failed=outcome.status is not Status.COMPLETED)
    if index is not None:
        mark_failure(notebook, index)


def _end_kernel(found: Rebuilt) -> None:
    """A kernel that is busy outside Python does not see that its parent is gone."""
    if found.status is not None or found.kernel is None or found.host != socket.gethostname():
        return
    pid, started = found.kernel
    if started and processes.is_alive(pid, started):
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
