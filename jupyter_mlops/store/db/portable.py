"""What SQLite and PostgreSQL say in different words: lists in JSON, a key of JSON, a text's size, insert or replace.

Where neither is named here, a statement means the same to both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

to_json = json.JSONEncoder().encode
from_json = json.JSONDecoder().decode
"""Taken at import: a notebook may put something else in place of `json.dumps` and `json.loads`."""


class JsonText(sa.types.TypeDecorator[Any]):
    """JSON as text, letter by letter as it was put: PostgreSQL's own types refuse NaN, and NUL within a text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else to_json(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        return None if value is None else from_json(value)


class mlops_json_items(GenericFunction[Any]):
    """The items of a JSON list as rows of one column, `value`."""

    name = "json_each"
    inherit_cache = True


class mlops_json_has(GenericFunction[bool]):
    """Whether a JSON object (first argument) has a key (second, a plain word)."""

    type = sa.Boolean()
    inherit_cache = True


class mlops_size(GenericFunction[int]):
    """Bytes of a text."""

    type = sa.Integer()
    inherit_cache = True


@compiles(mlops_size, "postgresql")
def _octets(element: Any, compiler: Any, **how: Any) -> str:
    return f"octet_length({compiler.process(element.clauses, **how)})"


@compiles(mlops_size)
def _bytes(element: Any, compiler: Any, **how: Any) -> str:
    return f"length(CAST({compiler.process(element.clauses, **how)} AS BLOB))"


class mlops_end(GenericFunction[str]):
    """The end of a text (first argument) that is ASCII: so many characters of it (second)."""

    type = sa.Text()
    inherit_cache = True


@compiles(mlops_end, "postgresql")
def _right(element: Any, compiler: Any, **how: Any) -> str:
    text, most = (compiler.process(clause, **how) for clause in element.clauses)
    return f"right({text}, {most})"


@compiles(mlops_end)
def _last_bytes(element: Any, compiler: Any, **how: Any) -> str:
    """SQLite counts the characters of a text from its beginning, and knows where the bytes of a blob are."""
    text, most = (compiler.process(clause, **how) for clause in element.clauses)
    return f"CAST(substr(CAST({text} AS BLOB), -{most}) AS TEXT)"


@compiles(mlops_json_items, "postgresql")
def _items(element: Any, compiler: Any, **how: Any) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **how)} AS JSON))"


@compiles(mlops_json_has, "postgresql")
def _has(element: Any, compiler: Any, **how: Any) -> str:
    document, key = (compiler.process(clause, **how) for clause in element.clauses)
    return f"((CAST({document} AS JSON) -> {key}) IS NOT NULL)"


@compiles(mlops_json_has)
def _has_path(element: Any, compiler: Any, **how: Any) -> str:
    document, key = (compiler.process(clause, **how) for clause in element.clauses)
    return f"(json_extract({document}, '$.' || {key}) IS NOT NULL)"


def items_of(values: sa.BindParameter[Any] | str) -> sa.ScalarSelect[Any] | sa.Select[Any]:
    """A query of the items of a JSON list: a list of any length in one statement, which stays the same."""
    return sa.select(mlops_json_items(values).table_valued("value").c.value)


def in_list(column: sa.ColumnElement[Any], parameter: str) -> sa.ColumnElement[bool]:
    """`column` is in the JSON list bound to `parameter`."""
    return column.in_(items_of(sa.bindparam(parameter, type_=sa.Text)))


def among(column: sa.Column[Any], values: Iterable[str]) -> sa.ColumnElement[bool]:
    """`column` is one of `values`."""
    return column.in_(items_of(sa.literal(to_json(list(values)), sa.Text)))


def has_key(column: sa.Column[Any], key: str) -> sa.ColumnElement[bool]:
    """The JSON object in `column` has this key, a plain word."""
    return mlops_json_has(sa.type_coerce(column, sa.Text), sa.literal_column(f"'{key}'"))


def size_and_end(column: sa.ColumnElement[Any], most: int) -> tuple[sa.ColumnElement[int], sa.ColumnElement[str]]:
    """The bytes that the JSON in a column takes, and so many characters of its end."""
    text = sa.type_coerce(column, sa.Text)
    return mlops_size(text), mlops_end(text, sa.literal_column(str(most)))


def unless_larger(column: sa.ColumnElement[Any], most: Any, then: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The text that the database has in a column; `then` in place of one of more bytes."""
    text = sa.type_coerce(column, sa.Text)
    return sa.case((mlops_size(text) > most, then), else_=text)


class Upsert:
    """Insert rows of a table, or put them in place of those with the same primary key. Made once per database."""

    def __init__(self, table: sa.Table) -> None:
        self._table = table
        self._made: dict[str, Any] = {}

    def on(self, connection: sa.Connection) -> Any:
        """The statement in the words of this connection's database."""
        name = connection.dialect.name
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Any:
        if name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert as of_postgresql

            insert: Any = of_postgresql(self._table)
        else:
            from sqlalchemy.dialects.sqlite import insert as of_sqlite

            insert = of_sqlite(self._table)
        keys = list(self._table.primary_key.columns)
        others = {column.name: insert.excluded[column.name] for column in self._table.c if column not in keys}
        return insert.on_conflict_do_update(index_elements=keys, set_=others)
