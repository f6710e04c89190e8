"""Finds the rows of an index that cannot be read, each with the column and what is wrong there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.store.db.rows import run_from, step_run_from
from jupyter_mlops.store.db.schema import metadata

_MAKERS: dict[str, Any] = {"runs": run_from, "step_runs": step_run_from}
FAULTS = (ValueError, TypeError, LookupError, AttributeError)
"""What a row that cannot be read raises, wherever that is noticed."""


@dataclass(frozen=True)
class UnreadableRow:
    """A row, named by what its primary key holds; `column` is "" where only the row as a whole makes no sense."""

    table: str
    id: str
    column: str
    why: str
    key: tuple[str, ...]
    """What its primary key holds."""

    def __str__(self) -> str:
        where = f", column {self.column}" if self.column else ""
        return f"Row {self.id} of {self.table} cannot be read{where}: {self.why}"


def unreadable(connection: sa.Connection) -> Iterator[UnreadableRow]:
    """All rows that cannot be read, table by table."""
    for table in metadata.sorted_tables:
        readers = _readers(table, connection.dialect)
        for raw in _raw_rows(connection, table):
            found = _fault(table, raw, readers)
            if found is not None:
                yield found


def _readers(table: sa.Table, dialect: sa.Dialect) -> dict[str, Any]:
    """How a value of each column is read: numbers and texts are what they are."""
    return {
        column.name: column.type.dialect_impl(dialect).result_processor(dialect, None)
        if isinstance(column.type, (sa.JSON, sa.types.TypeDecorator))
        else None
        for column in table.c
    }


def readable(connection: sa.Connection, table: sa.Table, order: str) -> Iterator[dict[str, Any] | UnreadableRow]:
    """The rows of a table, each read or, where it cannot be, named; ends where the database can read no further."""
    readers = _readers(table, connection.dialect)
    try:
        for raw in _raw_rows(connection, table, f" order by {order}"):
            yield _fault(table, raw, readers) or _values(raw, readers)
    except (sqlite3.DatabaseError, sa.exc.DatabaseError):
        return


def _raw_rows(connection: sa.Connection, table: sa.Table, order: str = "") -> Iterator[dict[str, Any]]:
    """Rows as the database has them. SQLite's texts come as bytes, since they need not be texts."""
    names = [column.name for column in table.c]
    query = f"select {', '.join(names)} from {table.name}{order}"
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        for row in connection.exec_driver_sql(query):
            yield dict(zip(names, row, strict=True))
        return
    before, driver.text_factory = driver.text_factory, bytes
    try:
        cursor = driver.execute(query)
    finally:
        driver.text_factory = before
    for values in _bytes_of(cursor, driver):
        yield dict(zip(names, values, strict=True))


def _bytes_of(cursor: sqlite3.Cursor, driver: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    while True:
        before, driver.text_factory = driver.text_factory, bytes
        try:
            rows = cursor.fetchmany(200)
        finally:
            driver.text_factory = before
        if not rows:
            return
        yield from rows


def _fault(table: sa.Table, raw: dict[str, Any], readers: dict[str, Any]) -> UnreadableRow | None:
    values: dict[str, Any] = {}
    column = ""
    try:
        for column, reader in readers.items():
            values[column] = _value(raw[column], reader)
            _check(table.c[column], raw[column], values[column])
        column = ""
        if table.name in _MAKERS:
            _MAKERS[table.name](values)
    except FAULTS as error:
        why = (str(error) or type(error).__name__).rstrip(".")
        return UnreadableRow(table.name, _identity(table, raw), column, why, _key(table, raw))
    return None


def _values(raw: dict[str, Any], readers: dict[str, Any]) -> dict[str, Any]:
    return {column: _value(raw[column], reader) for column, reader in readers.items()}


def _value(raw: Any, reader: Any) -> Any:
    value = raw.decode("utf-8") if isinstance(raw, bytes) else raw
    return value if reader is None else reader(value)


def _check(column: sa.Column[Any], raw: Any, value: Any) -> None:
    if value is None and raw not in ("", b"") and not column.nullable and not column.primary_key:
        raise ValueError("it is empty")
    if value is not None and isinstance(column.type, (sa.Integer, sa.Float)) and not isinstance(value, (int, float)):
        raise ValueError(f"{value!r:.40} is not a number")


def _key(table: sa.Table, raw: dict[str, Any]) -> tuple[str, ...]:
    keys = [raw[column.name] for column in table.primary_key.columns]
    return tuple(key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key) for key in keys)


def _identity(table: sa.Table, raw: dict[str, Any]) -> str:
    """What the row is called: its number too, where it has one."""
    name = ", ".join(_key(table, raw))
    number = raw.get("number")
    return f"{name} (number {number})" if isinstance(number, int) else name
