"""A run whose process is gone: its notebook is written from its journal as far as it came, and the index says so."""

from __future__ import annotations

import logging
import os
import signal
import socket
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from jupyter_mlops.analysis.notebook import cells_of, steps_of
from jupyter_mlops.domain.run import Run, RunError
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.jobs.journal import RUN_ENDED
from jupyter_mlops.jobs.ledger import Ledger
from jupyter_mlops.jobs.outcome import AGAIN, Outcome, note_error
from jupyter_mlops.jobs.output import file_saver
from jupyter_mlops.jobs.prepared import mark_failure
from jupyter_mlops.jobs.rebuild import Rebuilt, rebuild
from jupyter_mlops.store import processes
from jupyter_mlops.store.store import Store

logger = logging.getLogger(__name__)

LOST = RunError("runner_lost", "The process that executed this run is gone.", ename="RunnerLost")
FINISHING = timedelta(seconds=30)
"""A process that has written the end of its run into the journal may take so long to write it into the index too."""


def settle(store: Store, *, now: datetime) -> list[Run]:
    """Runs that ended, but whose process could not write that into the index (its disk was full, it was killed just
    then): what their journals say stands. Returns those runs as they were.
    """
    found = []
    for run in store.runs.open():
        if run.status is not Status.RUNNING or run.kind == "session":
            continue
        is_there = processes.is_alive(run.pid, run.pid_started)
        if settle_run(store, run, before=now - FINISHING if is_there else None):
            found.append(run)
    return found


def settle_run(store: Store, run: Run, *, before: datetime | None = None) -> bool:
    """End a run as its journal says that it ended (`before` that time); False where it says nothing of the kind."""
    event = store.journals.last(run.id)
    if event is None or event["event"] != RUN_ENDED:
        return False
    at = datetime.fromisoformat(event["at"])
    if before is not None and at > before:
        return False
    error = RunError(**event["error"]) if event.get("error") else None
    if not store.runs.finish(run.id, Status(event["status"]), now=at, error=error):
        return False
    store.journals.make_room(run.id)
    return True


def recover(store: Store, run: Run, *, now: datetime) -> None:
    """A run was marked lost: end what is left of its kernel, and write its notebook as far as it came.

    Finished cells keep their outputs, the one it was in is marked, and no cell says that it completed which did not.
    `run` is the run as it was before it was lost.
    """
    try:
        store.journals.make_room(run.id)
        found = rebuild(store.journals.read(run.id))
        _end_kernel(found)
        error = _error(found)
        if error.cell_index is not None:
            store.runs.update(run.id, error=error, told_at=now)
        _write(store, run, found, error)
    except (MLOpsError, OSError, ValueError, KeyError) as fault:
        # A journal that cannot be read, or a disk that is full: the run is lost all the same.
        logger.warning("The notebook of run %s cannot be written from its journal: %s", run.number, fault)


def _error(found: Rebuilt) -> RunError:
    """Why the run is lost, and where."""
    if found.notebook is None or found.running is None:
        return LOST
    steps, _ = steps_of(cells_of(found.notebook))
    names = {step.cell.index: step.spec.name for step in steps}
    return replace(LOST, cell_index=found.running, step=names.get(found.running))


def _write(store: Store, run: Run, found: Rebuilt, error: RunError) -> None:
    """Write the executed notebook; one whose end is in the journal was saved whole by its own process."""
    if found.notebook is None or not run.output_path or "://" in run.output_path or found.at is None:
        return
    if found.status is not None and found.status is not Status.LOST:
        return
    at = found.at
    ledger = Ledger(found.notebook, lambda: at)
    if found.running is not None:
        ledger.resume(found.running)
        ledger.cell_ended(found.running, failed=True)
        note_error(found.notebook.cells[found.running], Outcome(Status.LOST, error, AGAIN))
    ledger.resume()
    ledger.end(failed=True)
    if found.running is not None:
        mark_failure(found.notebook, found.running)
    path = Path(store.root / run.output_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    file_saver(path)(found.notebook)


def _end_kernel(found: Rebuilt) -> None:
    """A kernel that is busy outside Python does not see that its parent is gone."""
    if found.status is not None or found.kernel is None or found.host != socket.gethostname():
        return
    pid, started = found.kernel
    if started and processes.is_alive(pid, started):
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
