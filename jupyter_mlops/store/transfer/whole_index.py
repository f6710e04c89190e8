"""All rows of an index into another, in the order in which they were recorded, and the proof that both hold the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.reason import Reason, Reasons
from jupyter_mlops.errors import StoreError
from jupyter_mlops.store.db.schema import metadata, recorded

_MANY = 500
_TO_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def is_empty(connection: sa.Connection) -> bool:
    """Whether an index holds no row."""
    tables = metadata.sorted_tables
    return not any(connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() for table in tables)


def empty(connection: sa.Connection) -> None:
    """Delete all rows."""
    for table in reversed(metadata.sorted_tables):
        connection.execute(table.delete())


def copy_rows(source: sa.Connection, target: sa.Connection) -> dict[str, int]:
    """Copy into an empty index. Raises `StoreError` where the two do not hold the same afterwards; gives rows by table."""
    for table in metadata.sorted_tables:
        for rows in _in_order(source, table).partitions(_MANY):
            target.execute(table.insert(), [dict(row) for row in rows])
        _go_on(target, table)
    counts = {}
    for table in metadata.sorted_tables:
        here, there = _fingerprint(source, table), _fingerprint(target, table)
        if here != there:
            raise StoreError(
                f"Table {table.name} did not arrive unchanged: {here[0]} rows here, {there[0]} there.",
                "Nothing was changed. Run `jupyter mlops store verify`, then try again.",
            )
        counts[table.name] = here[0]
    return counts


def _in_order(connection: sa.Connection, table: sa.Table) -> sa.MappingResult:
    query = sa.select(table).order_by(recorded(table)).execution_options(yield_per=_MANY)
    return connection.execute(query).mappings()


def _go_on(connection: sa.Connection, table: sa.Table) -> None:
    """Numbers that PostgreSQL gives out go on after those that were brought."""
    key = table.primary_key.columns[0]
    if connection.dialect.name == "postgresql" and isinstance(key.type, sa.Integer):
        connection.exec_driver_sql(
            f"select setval(pg_get_serial_sequence('{table.name}', '{key.name}'),"
            f" coalesce(max({key.name}), 0) + 1, false) from {table.name}"
        )


def _fingerprint(connection: sa.Connection, table: sa.Table) -> tuple[int, str]:
    """How many rows, and a digest of them in their order."""
    count, digest = 0, hashlib.sha256()
    for row in _rows(connection, table):
        digest.update(_TO_JSON({name: _plain(value) for name, value in row.items()}).encode())
        count += 1
    return count, digest.hexdigest()


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[sa.RowMapping]:
    for rows in _in_order(connection, table).partitions(_MANY):
        yield from rows


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (Reason, Reasons)):
        return value.to_json()
    # PostgreSQL cannot keep NUL in a text.
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
