"""A run whose worker vanished is asked for again: exactly once, since its end and the new run are one transaction and
the new run's id follows from the lost one's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.continuation import continuation
from jupyter_mlops.domain.run import Run, RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store.backup.logbook import RUNS, note
from jupyter_mlops.store.db.rows import plain, run_from
from jupyter_mlops.store.db.schema import runs
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.tables.outbox import post

_HIGHEST = sa.select(sa.func.coalesce(sa.func.max(runs.c.number), 0))
_INSERT = runs.insert()


def next_attempt_id(run_id: str) -> str:
    """The id of the run that takes up a lost one: the same whoever asks for it."""
    return hashlib.sha256(f"next attempt of {run_id}".encode()).hexdigest()[:32]


def is_taken_up(run: Run, status: Status, error: RunFailure | None) -> bool:
    """Whether a run that ends this way is to be asked for again: its worker went, not the run's own code."""
    if run.worker_id is None or error is None or run.attempt >= run.options.attempts:
        return False
    ends = {(Status.LOST, "runner_lost"), (Status.CANCELED, "interrupted")}
    return (status, error.cause) in ends and not run.stop


def host_of(connection: sa.Connection, host: str | None = None) -> str | None:
    """Where a run's process is: on `host`, else here, as this process; None in an index that only one machine can use."""
    return None if connection.dialect.name == "sqlite" else host or processes.this_host()


def is_here(run: Run) -> bool:
    """Whether a run's process is, or was, on this machine."""
    return run.host in (None, processes.this_host())


def insert_run(connection: sa.Connection, run: Run) -> None:
    """Put `run` into the index under the next number, within the caller's transaction, and tell tracking."""
    if run.left_out:
        raise ValueError("a run of which only a part was read cannot be put into the index")
    values = plain(vars(run))
    for derived in ("steps_executed", "steps_reused", "number", "left_out"):
        values.pop(derived)
    if run.pid is not None:
        values["host"] = host_of(connection)
    highest = connection.execute(_HIGHEST).scalar_one()
    values["number"] = highest + 1
    connection.execute(_INSERT, values)
    note(connection, RUNS, values)
    post(connection, run.id, "run", {"id": run.id}, run.created_at)


def take_up(
    connection: sa.Connection, row: Mapping[Any, Any], status: Status, error: RunFailure | None, now: datetime
) -> str | None:
    """Within the transaction that ends the run of `row`: ask for it again where that is its policy; gives the new id."""
    run = run_from(row)
    if not is_taken_up(run, status, error):
        return None
    made = continuation(run, next_attempt_id(run.id), now, attempt=run.attempt + 1)
    insert_run(connection, made)
    return made.id
