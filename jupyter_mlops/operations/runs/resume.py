"""`resume`: continue a run that did not complete, here or by the queue; what it had finished is not executed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jupyter_mlops.domain.continuation import check_continued
from jupyter_mlops.domain.run import Run, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError
from jupyter_mlops.execution.notebook.output_file import check_output
from jupyter_mlops.jobs.detached import ensure_worker
from jupyter_mlops.jobs.queue.continuing import ask_for_rest
from jupyter_mlops.jobs.queue.request import request_of
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.jobs.running.events import RunEvent
from jupyter_mlops.jobs.running.job import execute
from jupyter_mlops.store.store import Store


def unfinished(store: Store, run: str | int | None) -> Run:
    """The run to continue: the one named, else the newest that did not complete and that no other continues.

    Raises `UnknownNameError`, or `InputError` where there is nothing to continue.
    """
    reconcile(store, now=store.now())
    if run is None:
        newest = store.runs.unfinished()
        if newest is not None:
            return newest
        raise InputError("This project has no run to continue.", "See them all: jupyter mlops runs")
    record = store.runs.get(run)
    check_continued(record)
    if record.status is Status.COMPLETED:
        raise InputError(
            f"Run {record.number} is completed: there is nothing to continue.",
            f"Run the notebook again: jupyter mlops run {record.notebook}",
        )
    return record


def resume(
    store: Store,
    run: Run,
    output: Path | None = None,
    *,
    with_edit: bool = False,
    options: RunOptions | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
) -> Run:
    """Continue `run` as a new one, with the notebook's bytes as they were (`with_edit`: as they are now).

    Steps that `run`, or one that it continued, had finished are put in place, unless their code or what they read has
    changed. Raises as `operations.runs.run.run_notebook`; `InputError` also where it is being continued.
    """
    request = request_of(store, run, with_edit=with_edit)
    if output is not None:
        check_output(output, request.path)
    made = ask_for_rest(store, run, request, options or kept_options(run), queued=False)
    return execute(store, made, request, output, on_event)


def resume_job(store: Store, run: str | int, *, with_edit: bool = False) -> Run:
    """Put a run that continues `run` into the queue, with the notebook's bytes as they were (`with_edit`: as they are
    now); returns it, pending.

    Raises as `operations.runs.submit.submit`; `InputError` also where there is nothing to continue, or it is being continued.
    """
    continued = unfinished(store, run)
    request = request_of(store, continued, with_edit=with_edit)
    check_output(store.root / "runs" / "run.ipynb", None)
    made = ask_for_rest(store, continued, request, kept_options(continued), queued=True)
    ensure_worker(store)
    return store.runs.get(made.id)


def kept_options(run: Run) -> RunOptions:
    """The options of a run that continues `run`: it has the whole notebook to do, and an output of its own."""
    return replace(run.options, force=None, first=None, last=None, only=None, output=None)
