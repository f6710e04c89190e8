"""Runs whose process is gone without a word: they are lost, the index says so, and the queue's are asked for again."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from jupyter_mlops.domain.run import Run, RunFailure, RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.errors import FullDiskError, NotWritableError
from jupyter_mlops.jobs.detached import ensure_worker
from jupyter_mlops.jobs.notices import delivery
from jupyter_mlops.jobs.recovery.recover import end_by_journals, pay, recover
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.attempts import is_here
from jupyter_mlops.store.tables.queue import SKEW, is_alive, is_leased

logger = logging.getLogger(__name__)


def reconcile(store: Store, *, now: datetime, see_to_worker: Callable[[Store], None] = ensure_worker) -> list[Run]:
    """Mark as lost what no process works on any more; returns those runs as they were.

    A worker that vanished is forgotten; where runs wait, another takes its place.
    """
    at_work = store.runs.at_work()
    if end_by_journals(store, at_work, now=now):
        at_work = store.runs.at_work()
    pay(store, now=now)
    gone = store.runs.reconcile(now=now, at_work=at_work)
    for run in at_work:
        if run.status is Status.PENDING and _never_started(run):
            error = RunFailure("not_started", "The process that should have executed it ended before it started.")
            if store.runs.lose(run, now=now, error=error):
                gone.append(run)
    workers = store.queue.workers()
    gone += _lose_leased(store, at_work, {worker.id: worker for worker in workers}, now)
    for run in gone:
        if run.kind is not RunKind.SESSION:
            logger.warning("Run %s of %s is lost: its process is gone.", run.number, run.notebook)
            if run.status is Status.RUNNING:
                recover(store, run, now=now)
    vanished = [worker for worker in workers if not is_alive(worker, now) and store.queue.leave(worker.id)]
    for worker in vanished:
        logger.warning("The worker %s (process %s on %s) is gone.", worker.id[:8], worker.pid, worker.host)
    if vanished and store.queue.waiting():
        see_to_worker(store)
    delivery.wake(store)
    return gone


def reconcile_for_reading(store: Store, *, now: datetime) -> None:
    """As `reconcile`, before something is shown: where nothing can be written it is shown as it stands."""
    if store.index.refusal is None:
        with contextlib.suppress(FullDiskError, NotWritableError):
            reconcile(store, now=now)


def _lose_leased(store: Store, at_work: Iterable[Run], workers: dict[str, Worker], now: datetime) -> list[Run]:
    gone = []
    for run in filter(is_leased, at_work):
        worker = workers.get(str(run.worker_id))
        if worker is not None:
            lost = not is_alive(worker, now)
        else:
            lost = run.lease_until is None or run.lease_until + SKEW < now
        if lost and store.queue.lose(run, now=now, why="The worker that executed this run is gone."):
            gone.append(run)
    return gone


def _never_started(run: Run) -> bool:
    """Whether a pending run that is its process's own was left by it. One without a process waits in the queue."""
    return run.pid is not None and is_here(run) and not processes.is_alive(run.pid, run.pid_started)
