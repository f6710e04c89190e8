"""Runs in the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.run import Run, RunError
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.store import processes
from jupyter_mlops.store.index import Index
from jupyter_mlops.store.outbox import post
from jupyter_mlops.store.rows import plain, run_from
from jupyter_mlops.store.schema import runs, step_runs

Runs = list[Run]
OPEN = (Status.PENDING.value, Status.RUNNING.value)


class RunStore:
    """Creates, changes and finds runs. Every change of a run is told to tracking in the same transaction."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def create(self, run: Run) -> Run:
        """Insert `run` under the next number (its own `number` is ignored) and return it as stored."""
        values = plain(
            asdict(run) | {"error": run.error, "progress": run.progress, "status": run.status, "options": run.options}
        )
        for derived in ("steps_executed", "steps_reused", "number"):
            values.pop(derived)
        with self._index.write() as connection:
            highest = connection.execute(sa.select(sa.func.coalesce(sa.func.max(runs.c.number), 0))).scalar_one()
            values["number"] = highest + 1
            connection.execute(runs.insert().values(**values))
            post(connection, run.id, "run", {"id": run.id}, run.created_at)
        return self.get(run.id)

    def update(self, run_id: str, *, told_at: datetime | None = None, **values: Any) -> None:
        """Set columns of a run; with `told_at` (now) the change is also told to tracking.

        `tags` are merged into those there: kernel, engine and tracking each know some of them.
        """
        with self._index.write() as connection:
            if "tags" in values:
                found = connection.execute(sa.select(runs.c.tags).where(runs.c.id == run_id)).scalar_one()
                values["tags"] = {**found, **values["tags"]}
            connection.execute(runs.update().where(runs.c.id == run_id).values(**plain(values)))
            if told_at is not None:
                post(connection, run_id, "run", {"id": run_id}, told_at)

    def start(self, run_id: str, *, now: datetime, **values: Any) -> bool:
        """Claim a pending run for this process. False where it is no longer pending: someone else has it, or it ended."""
        pid, started = processes.this_process()
        return self._move(
            run_id, (Status.PENDING,), Status.RUNNING, now, started_at=now, pid=pid, pid_started=started, **values
        )

    def assign(self, run_id: str, pid: int, pid_started: float) -> None:
        """Note the process that will start a pending run; one that has begun knows its own."""
        with self._index.write() as connection:
            connection.execute(
                runs.update()
                .where(runs.c.id == run_id, runs.c.status == Status.PENDING.value)
                .values(pid=pid, pid_started=pid_started)
            )

    def finish(
        self, run_id: str, status: Status, *, now: datetime, error: RunError | None = None, **values: Any
    ) -> bool:
        """End a run that has not ended. False where it had: the first word stands."""
        open_statuses = (Status.PENDING, Status.RUNNING)
        return self._move(run_id, open_statuses, status, now, ended_at=now, error=error, **values)

    def _move(self, run_id: str, sources: Sequence[Status], target: Status, now: datetime, **values: Any) -> bool:
        with self._index.write(durable=target not in (Status.PENDING, Status.RUNNING)) as connection:
            changed = connection.execute(
                runs.update()
                .where(runs.c.id == run_id, runs.c.status.in_([source.value for source in sources]))
                .values(**plain({"status": target, **values}))
            ).rowcount
            if changed:
                post(connection, run_id, "run", {"id": run_id}, now)
        return bool(changed)

    def add_metrics(self, run_id: str, metrics: dict[str, float], *, now: datetime) -> None:
        """Merge metrics into a run's."""
        self._merge(run_id, runs.c.metrics, metrics, now)

    def add_parameters(self, run_id: str, parameters: dict[str, Any], *, now: datetime) -> None:
        """Merge parameters into a run's."""
        self._merge(run_id, runs.c.parameters, parameters, now)

    def _merge(self, run_id: str, column: sa.Column[Any], values: dict[str, Any], now: datetime) -> None:
        with self._index.write() as connection:
            found = connection.execute(sa.select(column).where(runs.c.id == run_id)).scalar_one()
            connection.execute(runs.update().where(runs.c.id == run_id).values({column: {**found, **values}}))
            post(connection, run_id, "run", {"id": run_id}, now)

    def get(self, run: str | int) -> Run:
        """The run of this id or number (or a text that holds a number). Raises `UnknownNameError`."""
        text = str(run)
        condition = runs.c.number == int(text) if text.isdecimal() and len(text) < 10 else runs.c.id == text
        found = self._select(condition, limit=1)
        if not found:
            with self._index.read() as connection:
                numbers = connection.execute(
                    sa.select(runs.c.number).order_by(runs.c.number.desc()).limit(12)
                ).scalars()
                raise UnknownNameError.among("run", text, [str(number) for number in numbers])
        return found[0]

    def list(self, *, notebook: str | None = None, limit: int | None = None) -> Runs:
        """Runs, newest first."""
        return self._select(sa.true() if notebook is None else runs.c.notebook == notebook, limit=limit)

    def reconcile(self, *, now: datetime) -> Runs:
        """Mark as lost what runs on this machine under a process that is gone; returns those runs as they were."""
        gone = [
            run
            for run in self._select(runs.c.status == Status.RUNNING.value)
            if not processes.is_alive(run.pid, run.pid_started)
        ]
        for run in gone:
            if run.kind == "session":
                self.finish(run.id, Status.COMPLETED, now=now, tags={**run.tags, "ended": "kernel gone"})
            else:
                error = RunError("runner_lost", "The process that executed this run is gone.")
                self.finish(run.id, Status.LOST, now=now, error=error)
            with self._index.write() as connection:
                connection.execute(
                    step_runs.update()
                    .where(step_runs.c.run_id == run.id, step_runs.c.status.in_(OPEN))
                    .values(status=Status.LOST.value, ended_at=now, error="The process that executed it is gone.")
                )
                post(connection, run.id, "run", {"id": run.id}, now)
        return gone

    def _select(self, condition: Any, limit: int | None = None) -> Runs:
        def count(*statuses: Status) -> Any:
            return (
                sa.select(sa.func.count())
                .where(step_runs.c.run_id == runs.c.id, step_runs.c.status.in_([status.value for status in statuses]))
                .scalar_subquery()
            )

        executed = count(Status.COMPLETED, Status.FAILED, Status.RUNNING, Status.CANCELED, Status.LOST)
        query = (
            sa.select(runs, executed.label("executed"), count(Status.REUSED).label("reused"))
            .where(condition)
            .order_by(runs.c.number.desc())
            .limit(limit)
        )
        with self._index.read() as connection:
            found = []
            for row in connection.execute(query).mappings():
                values = dict(row)
                found.append(run_from(values, values.pop("executed"), values.pop("reused")))
            return found
