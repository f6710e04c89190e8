"""Rows for lists: of a column that holds megabytes only what a list shows is read, and that once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.brief import Extent, LeftOut, brief_values
from jupyter_mlops.domain.run import RunOptions
from jupyter_mlops.store.db.begun import excerpt, excerpt_of_numbers, items_from
from jupyter_mlops.store.db.portable import from_json, size_and_end, unless_larger

LARGER = "…"
"""What comes in place of a column that takes more than is read of it."""
_MOST: sa.BindParameter[int] = sa.bindparam("read_most", type_=sa.Integer)
_LARGER: sa.ColumnElement[str] = sa.literal_column(f"'{LARGER}'", sa.Text)
_KEPT = 1024
_OUTPUT = "output"
"""The first of a run's options behind those that may be large: what was given, and from where."""
_END = 65_536
"""Characters of the end of a run's options in which the others are looked for."""
_OPTIONS = frozenset(each.name for each in fields(RunOptions))


Known = dict[tuple[Any, ...], tuple[Any, LeftOut]]
"""What was found in large columns of rows of one index, by the row's id, the column and what is shown."""


class Excerpts:
    """What is read of rows of a table whose columns may be large: `objects` hold JSON objects, `numbers` those of numbers
    alone, and `texts` plain text.

    `columns` are to be selected, with `parameters` for how much of each is read.
    """

    def __init__(
        self,
        table: sa.Table,
        *,
        objects: tuple[str, ...] = (),
        numbers: tuple[str, ...] = (),
        texts: tuple[str, ...] = (),
    ) -> None:
        self._numbers = numbers
        self._objects = (*objects, *numbers)
        self._texts = texts
        wide = (*self._objects, *texts)
        self.columns = [
            unless_larger(each, _MOST, _LARGER).label(each.name) if each.name in wide else each for each in table.c
        ]
        is_it = table.c.id == sa.bindparam("of_id")
        self._whole = {name: sa.select(sa.type_coerce(table.c[name], sa.Text)).where(is_it) for name in wide}
        self._ends = {name: sa.select(*size_and_end(table.c[name], _END)).where(is_it) for name in wide}

    @staticmethod
    def parameters(extent: Extent) -> dict[str, int]:
        """The values of the parameters of `columns`."""
        return {"read_most": extent.read}

    def read(
        self, connection: sa.Connection, row: Mapping[Any, Any], extent: Extent, known: Known
    ) -> tuple[dict[str, Any], dict[str, LeftOut]]:
        """The values of a row of `columns`, and what is left out of them, by column. What has ended is then `known`."""
        values = dict(row)
        left: dict[str, LeftOut] = {}
        for name in (*self._objects, *self._texts):
            if values[name] == LARGER:
                values[name], left[name] = self._large(connection, values, name, extent, known)
            elif name in self._objects and values[name] is not None:
                values[name] = from_json(values[name])
        return values, left

    def _large(
        self, connection: sa.Connection, row: Mapping[Any, Any], name: str, extent: Extent, known: Known
    ) -> tuple[Any, LeftOut]:
        ended = row.get("ended_at", True)
        which = (row["id"], name, extent, ended)
        large = known.get(which)
        if large is None:
            large = self._end(connection, name, row["id"]) if name == "options" else None
            if large is None:
                text = connection.execute(self._whole[name], {"of_id": row["id"]}).scalar_one()
                large = self._excerpt(name, text, extent)
            if ended is not None and name != "tags":
                if len(known) >= _KEPT:
                    known.clear()
                known[which] = large
        return large

    def _end(self, connection: sa.Connection, name: str, row_id: Any) -> tuple[Any, LeftOut] | None:
        """The options of a run without what was given for it, which its parameters tell; None where they are not found so."""
        size, text = connection.execute(self._ends[name], {"of_id": row_id}).one()
        items = items_from(_OUTPUT, text, _OPTIONS)
        return None if items is None else (items, LeftOut(unread=size - len(text)))

    def _excerpt(self, name: str, text: str, extent: Extent) -> tuple[Any, LeftOut]:
        if name in self._texts:
            return f"{text[: extent.text - 1]}…", LeftOut(texts={name: len(text)})
        if name == "options":  # written in another order than now
            return from_json(text), LeftOut()
        items, left = (excerpt_of_numbers if name in self._numbers else excerpt)(text, extent.read)
        shown, more = brief_values(items, extent)
        return shown, left + more
