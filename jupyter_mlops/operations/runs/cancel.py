"""`cancel`: stop a run that has not ended."""

from __future__ import annotations

from jupyter_mlops.domain.run import Run, RunKind
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.store.store import Store

WORD = "as asked"


def cancel(store: Store, run: str | int) -> Run:
    """Ask whoever executes a run (by id or number) to stop it; returns the run, which ends a moment later.

    A run that waits is canceled at once. Its execution reads in the index that it is to stop, in whichever process and on
    whichever machine it is. Raises `UnknownNameError`, or `InputError` where there is nothing to stop.
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
    now = store.now()
    if not store.queue.cancel_pending(record.id, now=now):
        store.queue.ask_to_stop(record.id, WORD)
    reconcile(store, now=now)
    return store.runs.get(record.id)
