"""Step versions and step runs in the index."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun, StepVersion
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.store.index import Index
from jupyter_mlops.store.outbox import post
from jupyter_mlops.store.rows import plain, step_run_from
from jupyter_mlops.store.schema import step_runs, step_versions

NEWEST: sa.UnaryExpression[Any] = sa.literal_column("step_runs.rowid").desc()


class StepStore:
    """Finds and keeps what steps are (versions) and what came of them (step runs)."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def version(self, notebook: str, step: str, digest: str, source: str, *, now: datetime) -> StepVersion:
        """The version of this content, made under the next number where it is new."""
        same = (step_versions.c.notebook == notebook, step_versions.c.step == step)
        query = sa.select(step_versions).where(*same, step_versions.c.digest == digest)
        with self._index.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            with self._index.write() as connection:
                row = connection.execute(query).mappings().first()
                if row is None:
                    number = connection.execute(
                        sa.select(sa.func.coalesce(sa.func.max(step_versions.c.number), 0)).where(*same)
                    ).scalar_one()
                    connection.execute(
                        step_versions.insert().values(
                            notebook=notebook,
                            step=step,
                            number=number + 1,
                            digest=digest,
                            source=source,
                            created_at=now,
                        )
                    )
                    row = connection.execute(query).mappings().one()
        return _version_from(row)

    def versions(self, step: str, notebook: str | None = None) -> list[StepVersion]:
        """All versions of a step, oldest first. Raises `UnknownNameError` where no step of this name was ever run."""
        query = sa.select(step_versions).where(step_versions.c.step == step)
        if notebook is not None:
            query = query.where(step_versions.c.notebook == notebook)
        with self._index.read() as connection:
            rows = connection.execute(query.order_by(step_versions.c.notebook, step_versions.c.number)).mappings().all()
        if not rows:
            raise UnknownNameError.among("step", step, self.names())
        return [_version_from(row) for row in rows]

    def names(self, notebook: str | None = None) -> list[str]:
        """Names of all steps ever recorded (in one notebook)."""
        query = sa.select(step_versions.c.step).distinct()
        if notebook is not None:
            query = query.where(step_versions.c.notebook == notebook)
        with self._index.read() as connection:
            return list(connection.execute(query).scalars())

    def start_run(self, step_run: StepRun) -> None:
        """Insert a step run that has begun (or was reused), and tell tracking."""
        values = plain({field.name: getattr(step_run, field.name) for field in fields(step_run)})
        with self._index.write() as connection:
            connection.execute(step_runs.insert().values(**values))
            post(connection, step_run.run_id, "step", {"id": step_run.id}, step_run.started_at)

    def update_run(self, step_run_id: str, *, told_at: datetime | None = None, **values: Any) -> None:
        """Set columns of a step run; with `told_at` (now) the change is also told to tracking."""
        with self._index.write() as connection:
            run_id = connection.execute(sa.select(step_runs.c.run_id).where(step_runs.c.id == step_run_id)).scalar_one()
            connection.execute(step_runs.update().where(step_runs.c.id == step_run_id).values(**plain(values)))
            if told_at is not None:
                post(connection, run_id, "step", {"id": step_run_id}, told_at)

    def end_open(self, run_id: str, status: Status, error: str, *, now: datetime) -> None:
        """End the step runs of a run that had begun and will not go on."""
        with self._index.write() as connection:
            open_ones = sa.select(step_runs.c.id).where(
                step_runs.c.run_id == run_id, step_runs.c.status == Status.RUNNING.value
            )
            for step_run_id in connection.execute(open_ones).scalars().all():
                connection.execute(
                    step_runs.update()
                    .where(step_runs.c.id == step_run_id)
                    .values(status=status.value, error=error, ended_at=now)
                )
                post(connection, run_id, "step", {"id": step_run_id}, now)

    def run(self, step_run_id: str) -> StepRun:
        """The step run of this id."""
        with self._index.read() as connection:
            row = connection.execute(sa.select(step_runs).where(step_runs.c.id == step_run_id)).mappings().one()
        return step_run_from(row)

    def runs(
        self,
        *,
        run_id: str | None = None,
        step: str | None = None,
        notebook: str | None = None,
        limit: int | None = None,
    ) -> list[StepRun]:
        """Step runs, newest first."""
        query = sa.select(step_runs)
        for column, value in ((step_runs.c.run_id, run_id), (step_runs.c.step, step), (step_runs.c.notebook, notebook)):
            if value is not None:
                query = query.where(column == value)
        query = query.order_by(NEWEST).limit(limit)
        with self._index.read() as connection:
            return [step_run_from(row) for row in connection.execute(query).mappings()]

    def candidates(self, key: str, *, limit: int = 20) -> list[StepRun]:
        """Completed step runs of this key whose result may be reused, newest first."""
        query = (
            sa.select(step_runs)
            .where(
                step_runs.c.key == key,
                step_runs.c.status == Status.COMPLETED.value,
                step_runs.c.unrepeatable == "",
                step_runs.c.result.is_not(None),
            )
            .order_by(NEWEST)
            .limit(limit)
        )
        with self._index.read() as connection:
            return [step_run_from(row) for row in connection.execute(query).mappings()]


def _version_from(row: Any) -> StepVersion:
    return StepVersion(**{name: value for name, value in dict(row).items() if name != "id"})
