"""`resume`: continue a run that did not complete, in a new process; what it had finished is not executed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jupyter_mlops.domain.run import Run, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.events import RunEvent
from jupyter_mlops.jobs.job import execute
from jupyter_mlops.jobs.output import check_output
from jupyter_mlops.jobs.request import create_run, request_of
from jupyter_mlops.jobs.stale import reconcile
from jupyter_mlops.store.store import Store


def unfinished(store: Store, run: str | int | None) -> Run:
    """The run to continue: the one named, else the newest that did not complete and that no other continues.

    Raises `UnknownNameError`, or `InputError` where there is nothing to continue.
    """
    reconcile(store, now=store.now())
    if run is None:
        runs = [found for found in store.runs.list(limit=500) if found.kind != "session"]
        continued = {found.resumes for found in runs}
        for found in runs:
            if found.status in (Status.FAILED, Status.CANCELED, Status.LOST) and found.id not in continued:
                return found
        raise InputError("No run of this project waits to be continued.", "See them all: jupyter mlops runs")
    found = store.runs.get(run)
    if found.kind == "session":
        raise InputError(f"Run {found.number} is a live notebook session.", "Its cells are run in its own kernel.")
    if not found.status.ended:
        raise InputError(
            f"Run {found.number} is {found.status}.", f"Stop it first: jupyter mlops cancel {found.number}"
        )
    if found.status is Status.COMPLETED:
        raise InputError(
            f"Run {found.number} is completed: there is nothing to continue.",
            f"Run the notebook again: jupyter mlops run {found.notebook}",
        )
    return found


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
    changed. Raises as `operations.run.run_notebook`.
    """
    request = request_of(store, run, with_edit=with_edit)
    if output is not None:
        check_output(output, request.path)
    kept = (
        replace(run.options, force=None, first=None, last=None, only=None, output=None) if options is None else options
    )
    made = create_run(store, request, kind="job", now=store.now(), resumes=run.id, options=kept)
    return execute(store, made, request, output, on_event)
