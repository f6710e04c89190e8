"""Puts runs into the queue, with all that their execution depends on fixed as it is now."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from jupyter_mlops.domain.run import Run, RunKind, RunOptions
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.queue.request import Request, create_run
from jupyter_mlops.jobs.queue.sources import fix_modules
from jupyter_mlops.store.project.provenance import keep_environment
from jupyter_mlops.store.store import Store


def run_id_of_name(name: str) -> str:
    """The id of the run that is asked for under a name of the user's."""
    return hashlib.sha256(f"asked for as {name}".encode()).hexdigest()[:32]


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
) -> Run:
    """Put a run into the queue; where there is one of this id already, that one is given back."""
    options = replace(options or RunOptions(), modules=fix_modules(store, request))
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
