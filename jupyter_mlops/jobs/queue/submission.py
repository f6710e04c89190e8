"""Puts runs into the index, a process's own or the queue's, with all that their execution depends on fixed as it is now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from jupyter_mlops.domain.continuation import continuation
from jupyter_mlops.domain.run import Run, RunCause, RunKind, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.notices.targets import targets_of
from jupyter_mlops.jobs.queue.request import Request
from jupyter_mlops.jobs.queue.sources import fix_modules
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.project.provenance import keep_environment
from jupyter_mlops.store.store import Store
from jupyter_mlops.tracking.uri import place_of


def run_id_of_name(name: str) -> str:
    """The id of the run that is asked for under a name of the user's."""
    return hashlib.sha256(f"asked for as {name}".encode()).hexdigest()[:32]


def create_run(
    store: Store,
    request: Request,
    *,
    kind: RunKind,
    now: datetime,
    run_id: str | None = None,
    schedule_id: str | None = None,
    options: RunOptions | None = None,
    priority: int = 0,
    continues: Run | None = None,
    environment: str | None = None,
    queued: bool = False,
    cause: RunCause | None = None,
) -> Run:
    """Put a pending run into the index, with the notebook's bytes as they are now.

    It is this process's own to execute; `queued`, any worker takes it. A run that it `continues` gives it its priority.
    """
    options = options or RunOptions()
    run_id, path = run_id or store.new_id(), store.relative(request.path)
    base = Run(run_id, 0, kind, path, Status.PENDING, created_at=now, priority=priority)
    if continues is not None:
        base = continuation(continues, run_id, now)
    sources = {name: request.sources.get(name, "schedule" if schedule_id else "asked") for name in request.given}
    pid, pid_started = (None, None) if queued else processes.this_process()
    run = replace(
        base,
        kind=kind,
        parameters=request.values,
        notebook_object=store.objects.put(request.data),
        environment=environment,
        schedule_id=schedule_id,
        pid=pid,
        pid_started=pid_started,
        options=replace(options, given=request.given, sources=sources, notify=targets_of(store.root, options.notify)),
        kernel_name=request.kernel_name,
        tracked_at=place_of(store.root),
        cause=cause or base.cause,
    )
    return store.runs.create(run)


def enqueue(
    store: Store,
    request: Request,
    *,
    kind: RunKind,
    now: datetime,
    options: RunOptions | None = None,
    priority: int = 0,
    run_id: str | None = None,
    schedule_id: str | None = None,
    continues: Run | None = None,
    cause: RunCause | None = None,
    modules: Mapping[str, str] | None = None,
) -> Run:
    """Put a run into the queue; where there is one of this id already, that one is given back.

    `modules` are the project's modules where they are fixed already (path → object name).
    """
    fixed = fix_modules(store, request) if modules is None else dict(modules)
    options = replace(options or RunOptions(), modules=fixed)
    try:
        return create_run(
            store,
            request,
            kind=kind,
            now=now,
            run_id=run_id,
            schedule_id=schedule_id,
            options=options,
            priority=priority,
            continues=continues,
            environment=keep_environment(store.objects) if request.same_python else None,
            queued=True,
            cause=cause,
        )
    except IntegrityError:
        if run_id is None:
            raise
        return store.runs.get(run_id)


def check_same(run: Run, request: Request, name: str, notebook: str) -> Run:
    """`run`, where it is what was asked for under `name`. Raises `InputError`."""
    if run.notebook != notebook or run.options.given != request.given:
        raise InputError(
            f"The name '{name}' already belongs to run {run.number}: {run.notebook} with other parameters.",
            "Use another name, or omit it.",
        )
    return run
