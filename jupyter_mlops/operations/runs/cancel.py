"""`cancel`: stop a run that has not ended."""

from __future__ import annotations

import os
import signal

from jupyter_mlops.domain.run import Run, RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.attempts import is_here

WORD = "as asked"


def cancel(store: Store, run: str | int) -> Run:
    """Ask whoever executes a run (by id or number) to stop it; returns the run, which ends a moment later.

    A run that waits is canceled at once. Raises `UnknownNameError`, or `InputError` where there is nothing to stop.
    """
    record = store.runs.get(run)
    if record.status.ended:
        raise InputError(
            f"Run {record.number} has already ended: it is {record.status}.", "There is nothing to cancel."
        )
    if record.kind is RunKind.SESSION:
        raise InputError(
            f"Run {record.number} is a live notebook session.", "Interrupt or shut down its kernel in Jupyter."
        )
    if store.queue.cancel_pending(record.id, now=store.now()) or store.queue.ask_to_stop(record.id, WORD):
        reconcile(store, now=store.now())
        return store.runs.get(record.id)
    return _stop_process(store, store.runs.get(record.id))


def _stop_process(store: Store, run: Run) -> Run:
    """Stop a run that no worker executes, by a signal to its process."""
    if not is_here(run):
        raise InputError(
            f"Run {run.number} is executed by a process on another machine, {run.host}.",
            f"On that machine: jupyter mlops cancel {run.number}",
        )
    if run.in_shared_process and processes.is_alive(run.pid, run.pid_started):
        raise InputError(
            f"Run {run.number} is executed inside process {run.pid}, which also does other work.",
            "Interrupt it there: one of your cells or programs started it.",
        )
    if run.status is Status.RUNNING and run.pid is not None and processes.is_alive(run.pid, run.pid_started):
        os.kill(run.pid, signal.SIGTERM)
    else:
        reconcile(store, now=store.now())
    return store.runs.get(run.id)
