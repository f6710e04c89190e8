"""One fire of a schedule becomes one run: rendered, checked and put into the queue. Its id follows from the fire."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError

from jupyter_mlops.analysis.parameters.declared import checked_parameters, parse_value
from jupyter_mlops.analysis.pipeline.cells import cells_of
from jupyter_mlops.domain.continuation import continuation
from jupyter_mlops.domain.parameter import Parameter
from jupyter_mlops.domain.run import CauseKind, Run, RunCause, RunKind
from jupyter_mlops.domain.schedule import Fire, Overlap, Schedule
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.execution.notebook.output_file import check_output
from jupyter_mlops.jobs.queue.request import Request, check_parsed
from jupyter_mlops.jobs.queue.submission import enqueue
from jupyter_mlops.jobs.scheduler.templates import render
from jupyter_mlops.store.files.notebooks import parse_notebook, read_bytes
from jupyter_mlops.store.store import Store

STOPPED = "because its schedule fired again"


def run_id_of(schedule_id: str, fire_at: datetime, attempt: int = 0) -> str:
    """The id of the run of a fire time: the same whoever starts it."""
    text = f"{schedule_id} {fire_at.astimezone(timezone.utc).isoformat()}" + (f" {attempt}" if attempt else "")
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def known_run(store: Store, run_id: str) -> Run | None:
    """The run of this id, where there is one."""
    with contextlib.suppress(UnknownNameError):
        return store.runs.get(run_id)
    return None


def check_fire(store: Store, schedule: Schedule, fire: Fire, previous: datetime | None = None) -> Request:
    """What running the schedule's notebook at a fire time takes. Raises as `check_request`, and `InputError` where a
    template fails."""
    path = store.root / schedule.notebook
    data = _bytes_of(store, schedule, path)
    notebook = parse_notebook(data, str(path))
    texts = render(schedule.templates, schedule, fire.fire_at, previous, _told(fire.cause))
    values: dict[str, Any] = dict(schedule.parameters)
    if texts:
        declared = {parameter.name: parameter for parameter in checked_parameters(cells_of(notebook))}
        values |= {name: parse_value(_parameter(name, declared), text) for name, text in texts.items()}
    return check_parsed(path, data, notebook, values, kernel=schedule.kernel_name, bounded=bool(texts))


def _bytes_of(store: Store, schedule: Schedule, path: Path) -> bytes:
    """The notebook that runs: as it was pinned, or as its file is now."""
    if schedule.notebook_object is None:
        return read_bytes(path)
    if schedule.notebook_object not in store.objects:
        raise InputError(
            f"The notebook that schedule {schedule.number} runs is no longer in the store.",
            f"Pin it anew as the file is now: jupyter mlops schedule edit {schedule.number} --pin",
        )
    return bytes(store.objects.get(schedule.notebook_object))


def _parameter(name: str, declared: Mapping[str, Parameter]) -> Parameter:
    if declared and name not in declared:
        raise UnknownNameError.among("parameter", name, declared)
    return declared.get(name, Parameter(name, "any"))


def _told(cause: RunCause) -> dict[str, Any]:
    return {**cause.detail, "kind": cause.kind.value}


def queued_run(
    store: Store, schedule: Schedule, fire: Fire, previous: datetime | None, *, now: datetime, priority: int = 0
) -> Run:
    """The run of a fire, in the queue: made now, or by a scheduler before us or at this moment."""
    run_id = run_id_of(schedule.id, fire.fire_at, fire.attempt)
    known = known_run(store, run_id)
    if known is not None:
        return known
    if fire.attempt:
        return _again(store, schedule, fire, run_id, now)
    check_output(store.root / "runs" / "run.ipynb", None)
    cause = replace(fire.cause, at=fire.fire_at.astimezone(timezone.utc).isoformat())
    request = check_fire(store, schedule, fire, previous)
    options = replace(
        schedule.options, notify=schedule.notify, one_at_a_time=schedule.policy.overlap is not Overlap.SKIP
    )
    return enqueue(
        store,
        request,
        kind=RunKind.SCHEDULE,
        now=now,
        options=options,
        priority=priority,
        run_id=run_id,
        schedule_id=schedule.id,
        cause=cause,
        modules=schedule.options.modules if schedule.notebook_object else None,
    )


def _again(store: Store, schedule: Schedule, fire: Fire, run_id: str, now: datetime) -> Run:
    """The run that continues the failed one of the same fire."""
    failed = store.runs.get(run_id_of(schedule.id, fire.fire_at, fire.attempt - 1))
    try:
        return store.runs.create(continuation(failed, run_id, now))
    except IntegrityError:
        return store.runs.get(run_id)


def make_way(store: Store, schedule: Schedule, *, now: datetime) -> str:
    """Deal with earlier runs of the schedule that have not ended, as its policy says; gives why this fire is skipped, or
    "" where it is not."""
    earlier = store.runs.open_of_schedule(schedule.id) if schedule.policy.overlap is not Overlap.QUEUE else []
    if not earlier:
        return ""
    if schedule.policy.overlap is Overlap.SKIP:
        return f"Skipped: run {earlier[0].number} had not ended."
    for run in earlier:
        if not store.queue.cancel_pending(run.id, now=now):
            store.queue.ask_to_stop(run.id, STOPPED)
    return ""


def manual_fire(schedule: Schedule, now: datetime) -> Fire:
    """A fire that someone asks for."""
    return Fire(schedule.id, now, "claimed", cause=RunCause(CauseKind.MANUAL, key=f"manual {now.isoformat()}"))
