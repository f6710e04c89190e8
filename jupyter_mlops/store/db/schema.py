"""The tables of the index. Alembic's head revision makes exactly these (a test holds them equal)."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.reason import Reason, Reasons
from jupyter_mlops.store.db.portable import JsonText, from_json, to_json

HEAD = "0010"
"""The newest Alembic revision."""


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC time, kept as ISO 8601 text with microseconds, so that text order is time order in every SQL."""

    impl = sa.String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:
        if value is None:
            return None
        return value.astimezone(timezone.utc).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)

    def load_dialect_impl(self, dialect: Any) -> Any:
        text = sa.String(32, collation="C") if dialect.name == "postgresql" else sa.String(32)
        return dialect.type_descriptor(text)


JSON = sa.JSON().with_variant(JsonText(), "postgresql")
COMPLETED: sa.ColumnClause[str] = sa.literal_column("'completed'", sa.String)
"""The status, as the conditions of partial indexes and of what is to be found by them have to name it."""
SPARE_JSON = sa.JSON(none_as_null=True).with_variant(JsonText(), "postgresql")
"""NULL where there is nothing."""
NO_REASON: sa.ColumnClause[str] = sa.literal_column("''", sa.String)
"""What `unrepeatable` holds where a result may be reused, as partial indexes have to name it. Its texts stand in no index:
PostgreSQL refuses there what is longer than a third of a page."""


class Flag(sa.types.TypeDecorator[bool]):
    """Yes or no, as 1 or 0: SQLite has no type for it."""

    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value: bool | None, dialect: Any) -> int:
        return int(bool(value))

    def process_result_value(self, value: int | None, dialect: Any) -> bool:
        return bool(value)


class ReasonsText(sa.types.TypeDecorator[Reasons]):
    """Reasons as a list in JSON; an empty text where there is none, so that a query can ask for it."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: Reasons | None, dialect: Any) -> str:
        return to_json(value.to_json()) if value else ""

    def process_result_value(self, value: str | None, dialect: Any) -> Reasons:
        return Reasons.from_json(from_json(value)) if value else Reasons()


class ReasonText(sa.types.TypeDecorator[Reason]):
    """A reason in JSON; an empty text where there is none."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Reason | None, dialect: Any) -> str:
        return to_json(value.to_json()) if value is not None else ""

    def process_result_value(self, value: str | None, dialect: Any) -> Reason | None:
        return Reason.from_json(from_json(value)) if value else None


metadata = sa.MetaData()


def _index(name: str, *columns: str, where: str | None = None) -> sa.Index:
    """An index of step runs by which the newest is found first.

    SQLite has the `rowid` in each index by itself; PostgreSQL is given one that ends with it (`_with_rowid`).
    """
    condition = None if where is None else sa.text(where)
    return sa.Index(name, *columns, sqlite_where=condition).ddl_if(dialect="sqlite")


_COMPLETED = "status = 'completed'"
NEWEST_FIRST: dict[str, tuple[tuple[str, ...], str | None]] = {
    "ix_step_runs_step": (("notebook", "step"), None),
    "ix_step_runs_completed": (("notebook", "step"), _COMPLETED),
    "ix_step_runs_version": (("notebook", "version_digest", "step"), _COMPLETED),
    "ix_step_runs_reusable": (("key",), f"{_COMPLETED} and unrepeatable = ''"),
}
"""Indexes of step runs by which the newest is found first: columns, and of which rows (all, where it is None)."""

step_versions = sa.Table(
    "step_versions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("notebook", sa.String, nullable=False),
    sa.Column("step", sa.String, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("digest", sa.String, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("notebook", "step", "digest", name="uq_step_versions_digest"),
    sa.UniqueConstraint("notebook", "step", "number", name="uq_step_versions_number"),
    sa.Index("ix_step_versions_digest", "digest"),
    sa.Index("ix_step_versions_step", "step", "notebook", "number"),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("notebook", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False, index=True),
    sa.Column("parameters", JSON, nullable=False),
    sa.Column("metrics", JSON, nullable=False),
    sa.Column("tags", JSON, nullable=False),
    sa.Column("notebook_object", sa.String),
    sa.Column("environment", sa.String),
    sa.Column("output_path", sa.String),
    sa.Column("error", JSON),
    sa.Column("progress", JSON, nullable=False),
    sa.Column("schedule_id", sa.String),
    sa.Column("mlflow_run_id", sa.String),
    sa.Column("pid", sa.Integer),
    sa.Column("pid_started", sa.Float),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("options", JSON, nullable=False, server_default="{}"),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("worker_id", sa.String),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("resumes", sa.String),
    sa.Column("kernel_name", sa.String),
    sa.Column("tracked_at", SPARE_JSON),
    sa.Column("asked_as", sa.String),
    sa.Column("host", sa.String),
    sa.Column("stop", sa.String, nullable=False, server_default=""),
    sa.Column("changed_sources", SPARE_JSON),
    sa.Column("in_shared_process", Flag, nullable=False, server_default="0"),
    sa.Column("kernel_gone", Flag, nullable=False, server_default="0"),
    sa.Column("cause", SPARE_JSON),
    sa.Index("ix_runs_schedule", "schedule_id", "status"),
    sa.Index("ix_runs_queue", "status", "priority", "number"),
    sa.Index("ix_runs_notebook", "notebook", "number"),
    sa.Index("ix_runs_kind", "notebook", "kind", "number"),
    sa.Index("ix_runs_output", "output_path", "number"),
    sa.Index("ix_runs_resumes", "resumes"),
)

step_runs = sa.Table(
    "step_runs",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("notebook", sa.String, nullable=False),
    sa.Column("step", sa.String, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("version_digest", sa.String, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("inputs", JSON, nullable=False),
    sa.Column("outputs", JSON, nullable=False),
    sa.Column("ingredients", JSON, nullable=False),
    sa.Column("conditions", JSON, nullable=False),
    sa.Column("unrepeatable", ReasonsText, nullable=False),
    sa.Column("result", sa.String),
    sa.Column("display", sa.String),
    sa.Column("reused_from", sa.String),
    sa.Column("metrics", JSON, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("why", ReasonText, nullable=False),
    sa.Column("duration", sa.Float),
    sa.Column("started_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("cell_id", sa.String),
    sa.Column("pid", sa.Integer),
    sa.Column("pid_started", sa.Float),
    sa.Column("extra", JSON, nullable=False),
    sa.Column("known", SPARE_JSON),
    sa.Column("effects", SPARE_JSON),
    sa.Column("files", SPARE_JSON),
    sa.Index("ix_step_runs_run", "run_id", "status"),
    *(_index(name, *columns, where=where) for name, (columns, where) in NEWEST_FIRST.items()),
)
"""In the order in which they were recorded: `rowid` says which is newest, since a clock may be set back.

SQLite has a `rowid` in every table; in PostgreSQL it is a column that only these statements know.
"""

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("notebook", sa.String, nullable=False),
    sa.Column("cron", sa.String, nullable=False),
    sa.Column("timezone", sa.String, nullable=False),
    sa.Column("parameters", JSON, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("removed_at", UtcDateTime),
    sa.Column("notify", JSON, nullable=False, server_default="[]"),
    sa.Column("every", sa.Float),
    sa.Column("start_at", UtcDateTime),
    sa.Column("end_at", UtcDateTime),
    sa.Column("jitter", sa.Float, nullable=False, server_default="0"),
    sa.Column("missed", sa.String, nullable=False, server_default="all"),
    sa.Column("horizon", sa.Float, nullable=False, server_default="86400"),
    sa.Column("overlap", sa.String, nullable=False, server_default="queue"),
    sa.Column("retries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("retry_delay", sa.Float, nullable=False, server_default="60"),
    sa.Column("templates", JSON, nullable=False, server_default="{}"),
    sa.Column("options", JSON, nullable=False, server_default="{}"),
    sa.Column("notebook_object", sa.String),
    sa.Column("kernel_name", sa.String),
    sa.Column("paused_at", UtcDateTime),
    sa.Column("decided_until", UtcDateTime),
    sa.Column("next_fire_at", UtcDateTime),
    sa.Column("due_at", UtcDateTime),
    sa.Column("trigger", SPARE_JSON),
    sa.Column("trouble", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_schedules_due", "removed_at", "paused_at", "due_at"),
)

sightings = sa.Table(
    "sightings",
    metadata,
    sa.Column("schedule_id", sa.String, sa.ForeignKey("schedules.id"), primary_key=True),
    sa.Column("item", sa.String, primary_key=True),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("digest", sa.String, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
)
"""What triggers saw last of each thing they wait for."""

fires = sa.Table(
    "fires",
    metadata,
    sa.Column("schedule_id", sa.String, sa.ForeignKey("schedules.id"), primary_key=True),
    sa.Column("fire_at", UtcDateTime, primary_key=True),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("run_id", sa.String),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("cause", SPARE_JSON),
    sa.Column("cause_key", sa.String),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_fires_cause", "schedule_id", "cause_key", unique=True),
    sa.Index("ix_fires_status", "status", "fire_at"),
)
"""`cause_key` is NULL where the fire time itself is the cause."""

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("holder", sa.String, nullable=False),
    sa.Column("until", UtcDateTime, nullable=False),
)
"""Who does what only one process may do at a time, until when."""

heartbeats = sa.Table(
    "heartbeats",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("host", sa.String, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("pid_started", sa.Float, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("beat_at", UtcDateTime, nullable=False),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("host", sa.String, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("pid_started", sa.Float, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("beat_at", UtcDateTime, nullable=False),
)

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("run_id", sa.String, nullable=False, index=True),
    sa.Column("event", sa.String, nullable=False),
    sa.Column("target", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("next_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index("ix_notices_due", "status", "next_at"),
)
"""Word of runs to be sent to a target (a webhook, a mail address, a command): pending, sent or given up."""

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.String, nullable=False, index=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("body", JSON, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)

tracked = sa.Table(
    "tracked",
    metadata,
    sa.Column("entity_id", sa.String, primary_key=True),
    sa.Column("tracking_uri", sa.String, primary_key=True),
    sa.Column("mlflow_run_id", sa.String, nullable=False),
)


def with_rowid() -> list[str]:
    """What makes the indexes `NEWEST_FIRST` in PostgreSQL."""
    made = ((name, ", ".join(columns), where) for name, (columns, where) in NEWEST_FIRST.items())
    return [
        f"create index {name} on step_runs ({columns}, rowid)" + (f" where {where}" if where else "")
        for name, columns, where in made
    ]


def _on_postgresql(table: sa.Table, statement: str) -> None:
    made: Any = sa.DDL  # it has no annotations
    sa.event.listen(table, "after_create", made(statement).execute_if(dialect="postgresql"))


for _table in metadata.tables.values():
    if not isinstance(_table.primary_key.columns[0].type, sa.Integer):
        _on_postgresql(_table, "alter table %(table)s add column rowid bigint generated by default as identity")
_on_postgresql(step_runs, "create unique index ix_step_runs_rowid on step_runs (rowid)")
for _statement in with_rowid():
    _on_postgresql(step_runs, _statement)


def recorded(table: sa.Table) -> sa.ColumnElement[Any]:
    """What grows with each row that is recorded: to order by."""
    key = table.primary_key.columns[0]
    return key if isinstance(key.type, sa.Integer) else sa.literal_column(f"{table.name}.rowid")
