"""Runs whose process is gone without a word: they are lost, and the index says so."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from jupyter_mlops.domain.run import Run, RunError
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store import processes
from jupyter_mlops.store.store import Store

logger = logging.getLogger(__name__)

STARTING = timedelta(minutes=2)
"""A run that was asked for so recently may still be on its way to its process."""


def reconcile(store: Store, *, now: datetime) -> list[Run]:
    """Mark as lost what no process works on any more; returns those runs as they were."""
    gone = store.runs.reconcile(now=now)
    for run in store.runs.list(limit=200):
        if run.status is Status.PENDING and _never_started(run, now):
            error = RunError("not_started", "The process that was to execute it ended before it began.")
            if store.runs.finish(run.id, Status.LOST, now=now, error=error):
                gone.append(run)
    for run in gone:
        if run.kind != "session":
            logger.warning("Run %s of %s is lost: its process is gone.", run.number, run.notebook)
    return gone


def _never_started(run: Run, now: datetime) -> bool:
    if run.pid is not None:
        return not processes.is_alive(run.pid, run.pid_started)
    # A schedule's run without a process is started by the next scheduler.
    return run.schedule_id is None and run.created_at is not None and now - run.created_at > STARTING
