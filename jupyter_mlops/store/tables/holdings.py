"""Which objects the index speaks of, and who needs them: a narrow view on all step runs and runs, for keeping house."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.store.db.portable import among, has_key
from jupyter_mlops.store.db.schema import outbox, runs, schedules, step_runs, step_versions, tracked

_NAME = re.compile(r'"([0-9a-f]{64})"')
_OPEN = ("pending", "running")


@dataclass(frozen=True)
class Holding:
    """What one step run holds. `row` grows with each recording; `mentioned` are objects named anywhere else in it."""

    row: int
    id: str
    run_id: str
    notebook: str
    step: str
    status: str
    result: str | None
    display: str | None
    files: tuple[str, ...]
    mentioned: tuple[str, ...]
    reused_from: str | None
    at: datetime | None
    run_is_open: bool
    with_model: bool

    @property
    def objects(self) -> tuple[str, ...]:
        """All objects it names."""
        return (*filter(None, (self.result, self.display)), *self.files, *self.mentioned)


@dataclass(frozen=True)
class RunHolding:
    """The objects of one run."""

    id: str
    number: int
    notebook_object: str | None
    environment: str | None
    is_open: bool
    modules: tuple[str, ...] = ()


def holdings(connection: sa.Connection) -> list[Holding]:
    """Of all step runs, in the order of their recording."""
    columns = step_runs.c
    texts = [sa.func.coalesce(sa.cast(columns[name], sa.Text), "") for name in ("extra", "known", "effects")]
    query = (
        sa.select(
            sa.literal_column("step_runs.rowid").label("row"),
            *(columns[name] for name in ("id", "run_id", "notebook", "step", "status", "result", "display")),
            *(columns[name] for name in ("files", "reused_from", "started_at", "ended_at")),
            (texts[0] + texts[1] + texts[2]).label("texts"),
            has_key(columns.ingredients, "model").label("with_model"),
            runs.c.status.in_(_OPEN).label("run_is_open"),
        )
        .join(runs, runs.c.id == columns.run_id, isouter=True)
        .order_by(sa.literal_column("step_runs.rowid"))
    )
    return [_holding(row) for row in connection.execute(query).mappings()]


def _holding(row: sa.RowMapping) -> Holding:
    same = ("row", "id", "run_id", "notebook", "step", "status", "result", "display", "reused_from")
    return Holding(
        **{name: row[name] for name in same},
        files=tuple((row["files"] or {}).values()),
        mentioned=tuple(_NAME.findall(row["texts"])),
        at=row["ended_at"] or row["started_at"],
        run_is_open=bool(row["run_is_open"]),
        with_model=bool(row["with_model"]),
    )


def run_holdings(connection: sa.Connection) -> list[RunHolding]:
    """Of all runs."""
    columns = runs.c
    query = sa.select(
        columns.id, columns.number, columns.notebook_object, columns.environment, columns.status, columns.options
    )
    return [
        RunHolding(
            row.id,
            row.number,
            row.notebook_object,
            row.environment,
            row.status in _OPEN,
            tuple(row.options.get("modules", {}).values()),
        )
        for row in connection.execute(query)
    ]


def pinned(connection: sa.Connection) -> set[str]:
    """Objects that schedules run: notebooks and modules as they were when it was made."""
    query = sa.select(schedules.c.notebook_object, schedules.c.options).where(schedules.c.removed_at.is_(None))
    return {
        name
        for row in connection.execute(query)
        for name in (row.notebook_object, *row.options.get("modules", {}).values())
        if name
    }


def posted(connection: sa.Connection) -> set[str]:
    """Objects that tracking has still to be told of, such as models."""
    return {
        name
        for body in connection.execute(sa.select(sa.cast(outbox.c.body, sa.Text))).scalars()
        for name in _NAME.findall(body)
    }


def tracked_runs(connection: sa.Connection) -> list[tuple[str, str, str]]:
    """Step run or run, tracking URI and MLflow run of all that MLflow was told of."""
    query = sa.select(tracked.c.entity_id, tracked.c.tracking_uri, tracked.c.mlflow_run_id)
    return [(row.entity_id, row.tracking_uri, row.mlflow_run_id) for row in connection.execute(query)]


def release(connection: sa.Connection, step_run_ids: Iterable[str], note: str) -> None:
    """Take results, displays and files from step runs; the records stay, and say why under `extra["result_removed"]`."""
    chosen = sa.select(step_runs.c.id, step_runs.c.extra).where(among(step_runs.c.id, step_run_ids))
    rows = [{"of_id": row.id, "noted": {**row.extra, "result_removed": note}} for row in connection.execute(chosen)]
    if rows:
        connection.execute(_RELEASE, rows)


_RELEASE = (
    step_runs.update()
    .where(step_runs.c.id == sa.bindparam("of_id"))
    .values(result=None, display=None, files=None, extra=sa.bindparam("noted"))
)


def release_run(connection: sa.Connection, run_id: str, column: str, note: str) -> None:
    """Take a lost notebook or environment from a run; a tag says so."""
    found = connection.execute(sa.select(runs.c.tags).where(runs.c.id == run_id)).scalar_one()
    values: dict[str, Any] = {column: None, "tags": {**found, f"mlops.{column}": note}}
    connection.execute(runs.update().where(runs.c.id == run_id).values(**values))


def counts(connection: sa.Connection) -> dict[str, int]:
    """How many runs, step runs, versions and schedules there are."""
    tables = {"runs": runs, "step_runs": step_runs, "versions": step_versions}
    found = {name: connection.execute(sa.select(sa.func.count()).select_from(table)) for name, table in tables.items()}
    active = sa.select(sa.func.count()).select_from(schedules).where(schedules.c.removed_at.is_(None))
    return {name: int(result.scalar_one()) for name, result in found.items()} | {
        "schedules": int(connection.execute(active).scalar_one())
    }
