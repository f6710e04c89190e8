"""A run whose process is gone: its notebook is written from its journal as far as it came, and the index says so."""

from __future__ import annotations

import logging
import os
import signal
import socket
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from jupyter_mlops.analysis.notebook import cells_of, steps_of
from jupyter_mlops.domain.run import Run, RunError
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.jobs.ledger import Ledger
from jupyter_mlops.jobs.outcome import AGAIN, Outcome, note_error
from jupyter_mlops.jobs.output import file_saver
from jupyter_mlops.jobs.prepared import mark_failure
from jupyter_mlops.jobs.rebuild import Rebuilt, rebuild
from jupyter_mlops.store import processes
from jupyter_mlops.store.store import Store

logger = logging.getLogger(__name__)

LOST = RunError("runner_lost", "The process that executed this run is gone.", ename="RunnerLost")


def recover(store: Store, run: Run, *, now: datetime) -> bool:
    """End a run that its process left: True where this call did, False where it had ended.

    What the journal tells of the end stands; where it tells of none, the run is lost. Its kernel, if it is still there,
    is ended first.
    """
    try:
        found = rebuild(store.journals.read(run.id))
        store.journals.make_room(run.id)
        _end_kernel(found)
        error = _error(found)
        if run.status is Status.RUNNING:
            _write(store, run, found, error)
    except (MLOpsError, OSError, ValueError, KeyError) as fault:
        # A journal that cannot be read, or a disk that is full: the run is lost all the same.
        logger.warning("The notebook of run %s cannot be written from its journal: %s", run.number, fault)
        found, error = Rebuilt(), LOST
    if found.status is not None:
        return store.runs.finish(run.id, found.status, now=found.at or now, error=found.error)
    return store.runs.finish(run.id, Status.LOST, now=now, error=error)


def _error(found: Rebuilt) -> RunError:
    """Why the run is lost, and where."""
    if found.notebook is None or found.running is None:
        return LOST
    steps, _ = steps_of(cells_of(found.notebook))
    names = {step.cell.index: step.spec.name for step in steps}
    return replace(LOST, cell_index=found.running, step=names.get(found.running))


def _write(store: Store, run: Run, found: Rebuilt, error: RunError) -> None:
    """Write the executed notebook; not over one that its own process wrote last, and saved whole."""
    if found.notebook is None or not run.output_path or "://" in run.output_path or found.at is None:
        return
    at, failed = found.at, found.status is not Status.COMPLETED
    ledger = Ledger(found.notebook, lambda: at)
    outcome = Outcome(found.status or Status.LOST, found.error or error, AGAIN)
    if found.running is not None:
        ledger.resume(found.running)
        ledger.cell_ended(found.running, failed=True)
        note_error(found.notebook.cells[found.running], outcome)
    ledger.resume()
    ledger.end(failed=failed)
    if outcome.cell_failed and outcome.error is not None and outcome.error.cell_index is not None:
        note_error(found.notebook.cells[outcome.error.cell_index], outcome)
        mark_failure(found.notebook, outcome.error.cell_index)
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
