"""Whether anything is at work in a store, so that it cannot be moved: runs, workers, a scheduler."""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_mlops.domain.run import RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import StoreError
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.jobs.scheduler.starting import scheduler_status
from jupyter_mlops.store.store import Store


def refuse_at_work(store: Store, *, reconcile_first: bool = True) -> None:
    """Raise `StoreError` where anything is; with `reconcile_first`, after runs whose process is gone were ended."""
    if reconcile_first:
        reconcile(store, now=store.now())
    found = list(_at_work(store))
    if found:
        raise StoreError(
            f"The store cannot be moved while it is in use: {'; '.join(found)}.",
            "Wait for it to end, or stop it (`jupyter mlops cancel`, shut down the kernel, stop the worker), then retry.",
        )


def _at_work(store: Store) -> Iterator[str]:
    now = store.now()
    for run in store.runs.at_work():
        if run.status is Status.RUNNING:
            what = "the kernel of" if run.kind is RunKind.SESSION else f"run {run.number} of"
            yield f"{what} '{run.notebook}' (process {run.pid})"
    for worker in store.queue.living(now):
        yield f"a worker (process {worker.pid} on {worker.host})"
    scheduler = scheduler_status(store, now)
    if scheduler.alive:
        yield f"a scheduler on {scheduler.host}"
