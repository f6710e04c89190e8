"""Runs that continue others: in place of one that did not complete, or once more as it was asked for."""

from __future__ import annotations

from jupyter_mlops.domain.continuation import check_continued, continuation
from jupyter_mlops.domain.run import Run, RunKind, RunOptions
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.queue.request import Request, request_of
from jupyter_mlops.jobs.queue.submission import create_run, enqueue
from jupyter_mlops.store.store import Store


def ask_again(store: Store, run: Run) -> Run:
    """Put into the queue the run that continues `run` as that was asked for: the same sources, options and priority.

    Raises `InputError` where `run` has not ended, is a live session or cannot be executed any more.
    """
    check_continued(run)
    request_of(store, run)
    return store.runs.create(continuation(run, store.new_id(), store.now()))


def ask_for_rest(store: Store, run: Run, request: Request, options: RunOptions, *, queued: bool) -> Run:
    """Make the run that continues `run` by `request`, with its modules and environment as they are now.

    It is this process's own to execute; `queued`, any worker takes it. Raises `InputError` where `run` has not ended, is a
    live session, or is being continued by a run that has not ended.
    """
    check_continued(run)
    now = store.now()
    with store.index.lock("resume"):
        other = next((each for each in store.runs.continuing(run.id) if not each.status.ended), None)
        if other is not None:
            raise InputError(
                f"Run {run.number} is already continued: run {other.number} is {other.status}.",
                f"Wait until it ends, or stop it: jupyter mlops cancel {other.number}",
            )
        make = enqueue if queued else create_run
        return make(store, request, kind=RunKind.JOB, now=now, options=options, continues=run)
