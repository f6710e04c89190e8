"""Rows of step runs: those of a run, a step or a notebook, the newest first, and rows that were read before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.domain.listed import BULK
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepLine, StepRun
from jupyter_mlops.domain.step_spec import is_named, label_of_code
from jupyter_mlops.store.db.excerpts import Excerpts
from jupyter_mlops.store.db.portable import in_list
from jupyter_mlops.store.db.rows import step_run_from
from jupyter_mlops.store.db.schema import step_runs, step_versions
from jupyter_mlops.store.tables import newest
from jupyter_mlops.store.tables.newest import NEWEST

EXCERPTS = Excerpts(step_runs, objects=BULK, numbers=("metrics",), texts=("error",))
VERSION_EXCERPTS = Excerpts(step_versions, texts=("source",))
WHOLE: list[Any] = [step_runs]
_KEPT = 4096
"""So many step runs are kept as they were read."""
_LARGE = 65_536
"""Characters of a column of a row that is not kept."""


class RowsRead:
    """Makes step runs of rows of `newest.RAW` columns: a row that is as it was the last time is not taken apart again."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, Any]] = []
        self._read: dict[str, tuple[tuple[Any, ...], StepRun]] = {}

    def of(self, rows: Iterable[Any], dialect: sa.Dialect) -> Iterator[StepRun]:
        """The step runs of these rows, in their order."""
        if not self._parts:
            self._parts += newest.processors(dialect)
        for row in rows:
            raw = tuple(row)
            before = self._read.get(raw[0])
            if before is None or before[0] != raw:
                told = zip(self._parts, raw, strict=True)
                values = {name: value if part is None else part(value) for (name, part), value in told}
                before = raw, step_run_from(values)
                if not any(type(value) is str and len(value) > _LARGE for value in raw):
                    self._read[raw[0]] = before
                while len(self._read) > _KEPT:
                    del self._read[next(iter(self._read))]
            yield before[1]


def history(
    columns: list[Any],
    connection: sa.Connection,
    *,
    run_id: str | None = None,
    step: str | None = None,
    notebook: str | None = None,
    limit: int | None = None,
    after: int = 0,
) -> sa.Select[Any]:
    """A query of step runs, newest first; `after` so many that are newer."""
    if limit is not None and step is not None and notebook is None and run_id is None:
        return _of_any_notebook(columns, connection, step, after + limit).limit(limit).offset(after)
    query = sa.select(*columns)
    for column, value in ((step_runs.c.run_id, run_id), (step_runs.c.step, step), (step_runs.c.notebook, notebook)):
        if value is not None:
            query = query.where(column == value)
    return query.order_by(NEWEST).limit(limit).offset(after or None)


def labels_of(connection: sa.Connection, of: Iterable[StepRun]) -> dict[str, str]:
    """Id → what people know the step by: its name, else the first line of its code."""
    versions = {run.id: (run.notebook, run.step, run.version) for run in of}
    unnamed = {version for version in versions.values() if not is_named(version[1])}
    heads = {}
    if unnamed:
        notebooks, steps = ({version[at] for version in unnamed} for at in (0, 1))
        asked = {"of_notebook": dumps(sorted(notebooks)), "of_step": dumps(sorted(steps))}
        heads = {(row.notebook, row.step, row.number): row.head for row in connection.execute(_HEADS, asked)}
    return {id_: label_of_code(heads.get(version, "")) or version[1] for id_, version in versions.items()}


def durations_of(connection: sa.Connection, ids: Iterable[str]) -> dict[str, float | None]:
    """Id → how long the step run took, in seconds."""
    return {row.id: row.duration for row in connection.execute(_DURATIONS, {"of_ids": dumps(sorted(ids))})}


def lines_of(connection: sa.Connection, run_id: str) -> list[StepLine]:
    """The step runs of a run in short, newest first."""
    rows = connection.execute(_LINES, {"in_run": run_id}).mappings()
    return [StepLine(**{**row, "status": Status(row["status"])}) for row in rows]


_HEADS = sa.select(
    *(step_versions.c[name] for name in ("notebook", "step", "number")),
    sa.func.substr(step_versions.c.source, 1, 1000).label("head"),
).where(in_list(step_versions.c.step, "of_step"), in_list(step_versions.c.notebook, "of_notebook"))
_LINES = (
    sa.select(*(step_runs.c[name] for name in StepLine._fields))
    .where(step_runs.c.run_id == sa.bindparam("in_run"))
    .order_by(NEWEST)
)
_DURATIONS = sa.select(step_runs.c.id, step_runs.c.duration).where(in_list(step_runs.c.id, "of_ids"))


def _of_any_notebook(columns: list[Any], connection: sa.Connection, step: str, most: int) -> sa.Select[Any]:
    """The newest step runs of a step in whatever notebook: an index has those of each notebook in their order."""
    row: sa.ColumnElement[int] = sa.literal_column("step_runs.rowid")
    found: list[int] = []
    for notebook in connection.execute(newest.NOTEBOOKS).scalars().all():
        of_it = sa.select(row).where(step_runs.c.notebook == notebook, step_runs.c.step == step)
        found += connection.execute(of_it.order_by(NEWEST).limit(most)).scalars()
    return sa.select(*columns).where(row.in_(sorted(found)[-most:])).order_by(NEWEST)
