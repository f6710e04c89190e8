"""Rows of the index as JSON and back into another index: ids are kept, numbers given anew, what is there stays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.run import RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store.backup.logbook import RUNS, note
from jupyter_mlops.store.db.former_reasons import former_reasons, former_why
from jupyter_mlops.store.db.former_tags import former_tags
from jupyter_mlops.store.db.rows import run_from, step_run_from
from jupyter_mlops.store.db.schema import (
    Flag,
    ReasonsText,
    ReasonText,
    UtcDateTime,
    metadata,
    recorded,
    runs,
    step_runs,
    step_versions,
)

UNTRUSTED = Reasons.of([Reason(ReasonCode.UNTRUSTED)])
"""Why a result of someone else's is not reused: with `--trust` it is."""
Row = dict[str, Any]
_NAME = re.compile("[0-9a-f]{64}")
_OBJECTS = ("result", "display", "notebook_object", "environment")
_CONTROL = ("host", "stop", "in_shared_process")
_LISTS = ("changed_sources",)
_OPEN = (Status.PENDING.value, Status.RUNNING.value)


def rows_of(connection: sa.Connection, table: str, condition: sa.ColumnElement[bool]) -> list[Row]:
    """Rows in the order they were recorded, ready for JSON."""
    query = sa.select(metadata.tables[table]).where(condition).order_by(recorded(metadata.tables[table]))
    return [
        {column.name: _in_json(column, row[column.name]) for column in metadata.tables[table].c}
        for row in connection.execute(query).mappings()
    ]


def _in_json(column: sa.Column[Any], value: Any) -> Any:
    if isinstance(column.type, (ReasonsText, ReasonText)):
        return value.to_json() if value else ""
    return value.isoformat() if isinstance(value, datetime) else value


def parse_row(table: str, row: Any) -> Row:
    """A row of JSON as values for its columns. Raises `ValueError` where it is none of this table."""
    columns = metadata.tables[table].c
    if not isinstance(row, dict) or not row.keys() <= {column.name for column in columns}:
        raise ValueError(f"a row of {table} has columns that this version does not know")
    if table == "runs" and row.keys().isdisjoint(_CONTROL):  # from before revision 0007
        tags, control = former_tags(row["tags"] if isinstance(row.get("tags"), dict) else {})
        row = {**row, "tags": tags, **control}
    values = {}
    for column in columns:
        value = row.get(column.name)
        if value is None and not column.nullable and column.name != "id":
            raise ValueError(f"a row of {table} lacks {column.name}")
        values[column.name] = _value(column, value)
    files = values.get("files") or {}
    named = [values.get(name) for name in _OBJECTS] + list(files.values() if isinstance(files, dict) else [""])
    if any(name is not None and not _NAME.fullmatch(str(name)) for name in named):
        raise ValueError(f"a row of {table} refers to an object with an invalid name")
    try:
        if table == "runs":
            run_from(values)
        elif table == "step_runs":
            step_run_from(values)
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"a row of {table} cannot be read: {error}") from error
    return values


def _value(column: sa.Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, ReasonsText):
        return former_reasons(value) if isinstance(value, str) else Reasons.from_json(value)
    if isinstance(column.type, ReasonText):
        return former_why(value) if isinstance(value, str) else Reason.from_json(value)
    if isinstance(column.type, sa.JSON):
        if not isinstance(value, list if column.name in _LISTS else dict):
            raise ValueError(f"{column.name} has the wrong type")
        return value
    if isinstance(column.type, UtcDateTime):
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
        if time is None or time.tzinfo is None:
            raise ValueError(f"{column.name} is not a time")
        return time
    kinds: tuple[type, ...] = (str,)
    if isinstance(column.type, sa.Integer):
        kinds = (int,)
    elif isinstance(column.type, Flag):
        kinds = (bool,)
    elif isinstance(column.type, sa.Float):
        kinds = (int, float)
    if not isinstance(value, kinds):
        raise ValueError(f"{column.name} has the wrong type")
    return value


@dataclass
class MergeCounts:
    """How much of what was brought was new; `numbers` are the new runs' numbers here."""

    versions: int = 0
    runs: int = 0
    step_runs: int = 0
    numbers: dict[str, int] = field(default_factory=dict)


def merge(connection: sa.Connection, tables: Mapping[str, Iterable[Row]], *, trusted: bool) -> MergeCounts:
    """Put the rows that are not there yet; results that were removed here come back, and are trusted where they may be."""
    merged = MergeCounts()
    versions = {_content(row): _version(connection, row, merged) for row in tables["step_versions"]}
    known = set(connection.execute(sa.select(runs.c.id)).scalars())
    number = connection.execute(sa.select(sa.func.coalesce(sa.func.max(runs.c.number), 0))).scalar_one()
    for row in tables["runs"]:
        if row["id"] not in known:
            number += 1
            elsewhere: Row = {"schedule_id": None, "mlflow_run_id": None, "pid": None, "pid_started": None}
            if row["status"] in _OPEN:  # how it ended is not told
                elsewhere["status"] = (Status.COMPLETED if row["kind"] == RunKind.SESSION else Status.LOST).value
            values = {**row, **elsewhere, "number": number}
            connection.execute(runs.insert(), values)
            note(connection, RUNS, values)
            merged.numbers[row["id"]] = number
            merged.runs += 1
    here = {row.id: row for row in connection.execute(sa.select(step_runs.c.id, step_runs.c.result))}
    for row in tables["step_runs"]:
        content = (row["notebook"], row["step"], row["version_digest"])
        values = {**row, "version": versions.get(content, row["version"]), "pid": None, "pid_started": None}
        if row["status"] in _OPEN:
            values["status"] = Status.LOST.value
        if not trusted and not row["unrepeatable"]:
            values["unrepeatable"] = UNTRUSTED
        if row["id"] not in here:
            connection.execute(step_runs.insert(), values)
            merged.step_runs += 1
        elif trusted and here[row["id"]].result is None and row["result"] is not None:
            brought = {name: values[name] for name in ("result", "display", "files", "extra", "unrepeatable")}
            connection.execute(step_runs.update().where(step_runs.c.id == row["id"]).values(**brought))
            merged.step_runs += 1
        elif trusted and not row["unrepeatable"]:
            merged.step_runs += connection.execute(
                step_runs.update()
                .where(step_runs.c.id == row["id"], step_runs.c.unrepeatable == sa.literal(UNTRUSTED, ReasonsText()))
                .values(unrepeatable=Reasons())
            ).rowcount
    return merged


def _content(row: Row) -> tuple[str, str, str]:
    return row["notebook"], row["step"], row["digest"]


def _version(connection: sa.Connection, row: Row, merged: MergeCounts) -> int:
    """The number of a version's content here; made under the next one where it is new."""
    of_step = (step_versions.c.notebook == row["notebook"], step_versions.c.step == row["step"])
    known = connection.execute(
        sa.select(step_versions.c.number).where(*of_step, step_versions.c.digest == row["digest"])
    ).scalar()
    if known is not None:
        return int(known)
    last = connection.execute(sa.select(sa.func.coalesce(sa.func.max(step_versions.c.number), 0)).where(*of_step))
    number = int(last.scalar_one()) + 1
    values = {name: value for name, value in row.items() if name != "id"}
    connection.execute(step_versions.insert(), {**values, "number": number})
    merged.versions += 1
    return number
