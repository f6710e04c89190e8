"""`jobs`: what is in the queue and was, with its log; asking for a run again, and removing one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jupyter_mlops.domain.run import Run, RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.detached import ensure_worker, log_path
from jupyter_mlops.jobs.queue.continuing import ask_again
from jupyter_mlops.jobs.queue.sources import changed_sources
from jupyter_mlops.jobs.recovery.reconcile import reconcile, reconcile_for_reading
from jupyter_mlops.operations.store.needs import needed_ids
from jupyter_mlops.store.store import Store

KINDS = (RunKind.JOB, RunKind.SCHEDULE)


@dataclass(frozen=True)
class JobList:
    """Jobs, newest first; the workers that are alive, and how many jobs wait for one."""

    jobs: tuple[Run, ...]
    workers: tuple[Worker, ...]
    waiting: int


@dataclass(frozen=True)
class JobView:
    """One job with what was edited since it was asked for (`changed`), the runs it continues, and who continues it.

    `changed_then` are the files that had been edited when it was executed; it was executed as they had been.
    """

    run: Run
    changed: tuple[str, ...]
    changed_then: tuple[str, ...]
    resumes: int | None
    resumed_by: int | None
    log: Path


def list_jobs(
    store: Store, *, status: Status | None = None, notebook: str | None = None, limit: int | None = None
) -> JobList:
    """The jobs that fit, after a look at which of them were left by their workers."""
    now = store.now()
    reconcile_for_reading(store, now=now)
    found = store.runs.list(notebook=notebook, kinds=KINDS, status=status, limit=limit)
    return JobList(tuple(found), tuple(store.queue.living(now)), store.queue.waiting())


def show_job(store: Store, run: str | int) -> JobView:
    """One job. Raises `UnknownNameError`."""
    reconcile_for_reading(store, now=store.now())
    found = store.runs.get(run)
    before = store.runs.get(found.resumes).number if found.resumes else None
    after = next((other.number for other in store.runs.continuing(found.id)), None)
    return JobView(
        found, tuple(changed_sources(store, found)), found.changed_sources, before, after, log_path(store, found)
    )


def retry_job(store: Store, run: str | int) -> Run:
    """Put a run into the queue again, as it was asked for; what it had finished is not executed again.

    Raises `UnknownNameError`, or `InputError` where it has not ended or cannot be executed any more; `StoreError` where no
    worker can be started: the run waits then.
    """
    reconcile(store, now=store.now())
    made = ask_again(store, store.runs.get(run))
    ensure_worker(store)
    return store.runs.get(made.id)


def remove_job(store: Store, run: str | int) -> Run:
    """Forget an ended run: its record, its steps' records, its journal and its log; the executed notebook's file stays.

    Raises `UnknownNameError`, or `InputError` where it has not ended, or something needs it.
    """
    record = store.runs.get(run)
    if not record.status.ended:
        raise InputError(
            f"Run {record.number} has not ended: it is {record.status}.",
            f"Stop it first: jupyter mlops jobs cancel {record.number}",
        )
    needed = _needed(store, record)
    if needed is not None:
        why, hint = needed
        raise InputError(f"Run {record.number} cannot be removed: {why}.", hint)
    store.journals.remove(record.id)  # first: a journal without its run would tell of an index that lost it
    store.runs.remove(record.id)
    log_path(store, record).unlink(missing_ok=True)
    return record


def _needed(store: Store, run: Run) -> tuple[str, str] | None:
    """Why a run cannot go, and what to do next; None where it can."""
    from jupyter_mlops.store.tables.holdings import holdings, tracked_runs

    following = store.runs.continuing(run.id)
    if following:
        number = following[0].number
        return f"run {number} continues it", f"Remove that run first: jupyter mlops jobs remove {number}"
    with store.index.read() as connection:
        held = holdings(connection)
        needed = needed_ids(held, tracked_runs(connection), store.now())
    mine = {each.id for each in held if each.run_id == run.id}
    reusing = next((each for each in held if each.reused_from in mine and each.run_id != run.id), None)
    if reusing is not None:
        number = store.runs.get(reusing.run_id).number
        why = f"run {number} reuses its result of step '{reusing.step}'"
        return why, f"Remove that run first: jupyter mlops jobs remove {number}"
    kept = next((each for each in held if each.id in needed & mine and each.objects), None)
    if kept is None:
        return None
    return f"its result of step '{kept.step}' is still needed", (
        "Try again when a newer run has computed that step and this result is over an hour old. "
        "If its model is registered in MLflow, the run stays."
    )
