"""`cancel`: stop a run that has not ended."""

from __future__ import annotations

import os
import signal

from jupyter_mlops.domain.run import Run, RunError
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.recorder import SHARED
from jupyter_mlops.jobs.stale import reconcile
from jupyter_mlops.store import processes
from jupyter_mlops.store.store import Store


def cancel(store: Store, run: str | int) -> Run:
    """Ask the process of a run (by id or number) to stop; returns the run, which ends a moment later.

    A pending run is canceled at once. Raises `UnknownNameError`, or `InputError` where there is nothing to stop.
    """
    found = store.runs.get(run)
    if found.status.ended:
        raise InputError(f"Run {found.number} has ended already: it is {found.status}.", "There is nothing to cancel.")
    if found.kind == "session":
        raise InputError(
            f"Run {found.number} is a live notebook session.", "Interrupt or shut down its kernel in Jupyter."
        )
    if SHARED in found.tags and processes.is_alive(found.pid, found.pid_started):
        raise InputError(
            f"Run {found.number} is executed within process {found.pid}, which does other things too.",
            "Interrupt it there: it was started by a cell or a program of yours.",
        )
    if found.status is Status.PENDING:
        error = RunError("canceled", "Canceled before it began.")
        store.runs.finish(found.id, Status.CANCELED, now=store.now(), error=error)
        found = store.runs.get(found.id)
    if found.pid is not None and processes.is_alive(found.pid, found.pid_started):
        os.kill(found.pid, signal.SIGTERM)
    else:
        reconcile(store, now=store.now())
    return store.runs.get(found.id)
