"""Puts into an index that is made again what another one, or the logbook, has more than it. What it has is not changed,
but a run that has not ended in it and has ended there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.status import Status
from jupyter_mlops.store.backup.logbook import GONE, RUNS, SCHEDULES
from jupyter_mlops.store.db.readable import UnreadableRow, readable
from jupyter_mlops.store.db.schema import UtcDateTime, metadata, runs, schedules, step_runs

_TABLES = ("runs", "schedules", "step_versions", "step_runs", "fires", "sightings", "notices", "outbox", "tracked")
"""In this order, as rows refer to earlier ones."""
_CONTENT = {"step_versions": ("notebook", "step", "digest")}
"""What is the same where this is, whatever its id."""
_ENDED = {status.value for status in Status if status.ended}
Row = dict[str, Any]


class Salvage:
    """Within one transaction of the index that is made again; counts what came."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.came: Counter[str] = Counter()
        """Rows that were put, by table."""
        self.unreadable: list[UnreadableRow] = []
        self.renumbered: list[tuple[int, int]] = []
        """Runs whose number another one has: it there, it here."""
        self.told: set[str] = set()
        """Runs that only the logbook told of, or how they ended: not what their steps did."""

    def bring(self, source: sa.Connection) -> None:
        """All rows of another index that can be read, from its end as far as that goes, and from its beginning."""
        for name in _TABLES:
            table = metadata.tables[name]
            last = list(readable(source, table, "rowid desc"))[::-1]
            first = [] if not last else list(readable(source, table, "rowid"))
            self.unreadable += {str(row): row for row in (*first, *last) if isinstance(row, UnreadableRow)}.values()
            self.put(name, (row for row in (*first, *last) if not isinstance(row, UnreadableRow)))

    def put(self, name: str, rows: Iterable[Row]) -> None:
        """Rows of a table, of which those that are there stay."""
        table = metadata.tables[name]
        keys = _CONTENT.get(name) or [column.name for column in table.primary_key.columns]
        there = {tuple(row) for row in self._connection.execute(sa.select(*(table.c[key] for key in keys)))}
        for row in rows:
            key = tuple(row.get(part) for part in keys)
            if key not in there:
                there.add(key)
                self._insert(table, row)
            elif name == "runs":
                self._end(row)

    def _insert(self, table: sa.Table, row: Row) -> None:
        values = {column: value for column, value in row.items() if column != "id" or table.name not in _CONTENT}
        if "number" in values and table.name in (RUNS, SCHEDULES):
            values["number"] = self._number(table, values["number"])
        try:
            with self._connection.begin_nested():
                self._connection.execute(table.insert(), values)
        except sa.exc.IntegrityError:  # it refers to what did not come, or stands there under another id
            return
        self.came[table.name] += 1

    def _number(self, table: sa.Table, wanted: int) -> int:
        taken = self._connection.execute(sa.select(table.c.id).where(table.c.number == wanted)).first()
        if taken is None:
            return wanted
        highest = self._connection.execute(sa.select(sa.func.max(table.c.number))).scalar_one()
        if table is runs:
            self.renumbered.append((wanted, highest + 1))
        return int(highest) + 1

    def _end(self, row: Row) -> None:
        """A run that is there: it ends, where it has ended there."""
        if row.get("status") not in _ENDED:
            return
        here = sa.and_(runs.c.id == row["id"], runs.c.status.not_in(_ENDED))
        values = {name: value for name, value in row.items() if name not in ("id", "number")}
        self.came["ends"] += self._connection.execute(runs.update().where(here), values).rowcount

    def replay(self, lines: Iterable[tuple[str, Row]]) -> None:
        """What the logbook tells, in its order."""
        for kind, row in lines:
            if kind == GONE:
                self._connection.execute(step_runs.delete().where(step_runs.c.run_id == row.get("id")))
                self._connection.execute(runs.delete().where(runs.c.id == row.get("id")))
            elif kind in (RUNS, SCHEDULES) and "id" in row:
                values = _parsed(metadata.tables[kind], row)
                if kind == SCHEDULES and values.get("removed_at") is not None:
                    gone = schedules.update().where(schedules.c.id == row["id"]).values(removed_at=values["removed_at"])
                    self._connection.execute(gone)
                if kind == SCHEDULES:
                    self._change(values)
                before = self.came[kind] + self.came["ends"]
                self.put(kind, [values])
                if kind == RUNS and self.came[kind] + self.came["ends"] > before:
                    self.told.add(row["id"])

    def _change(self, row: Row) -> None:
        """A schedule that is there becomes as it was changed since: edited or paused."""
        values = {name: value for name, value in row.items() if name not in ("id", "number", "removed_at")}
        self._connection.execute(schedules.update().where(schedules.c.id == row["id"]).values(values))


def _parsed(table: sa.Table, row: Mapping[str, Any]) -> Row:
    """A row of JSON as values for the columns that this version knows."""
    values: Row = {}
    for name, value in row.items():
        if name in table.c:
            is_time = isinstance(table.c[name].type, UtcDateTime) and isinstance(value, str)
            values[name] = datetime.fromisoformat(value) if is_time else value
    return values
