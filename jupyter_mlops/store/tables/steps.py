"""Step versions and step runs in the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.brief import IN_LIST, KEPT_ERROR, Extent
from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.domain.listed import ListedStepRun, listed_step_run
from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepLine, StepRun, StepVersion
from jupyter_mlops.domain.step_spec import is_named
from jupyter_mlops.errors import UnknownNameError, beginning
from jupyter_mlops.store.db.excerpts import Known
from jupyter_mlops.store.db.index import Index, surviving
from jupyter_mlops.store.db.portable import Upsert, in_list
from jupyter_mlops.store.db.rows import plain, step_run_from
from jupyter_mlops.store.db.schema import COMPLETED, NO_REASON, step_runs, step_versions
from jupyter_mlops.store.tables import newest
from jupyter_mlops.store.tables.newest import NEWEST
from jupyter_mlops.store.tables.outbox import post
from jupyter_mlops.store.tables.step_rows import (
    EXCERPTS,
    VERSION_EXCERPTS,
    WHOLE,
    RowsRead,
    durations_of,
    history,
    labels_of,
    lines_of,
)

UNSAVED = Reasons.of([Reason(ReasonCode.UNSAVED)])
"""Why the result of a step that completed is not reused."""


@surviving
class StepStore:
    """Finds and keeps what steps are (versions) and what came of them (step runs)."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._read = RowsRead()
        self._known_parts: Known = {}

    def version(self, notebook: str, step: str, digest: str, source: str, *, now: datetime) -> StepVersion:
        """The version of this content, made under the next number where it is new."""
        sought = {"in_notebook": notebook, "of_step": step, "of_digest": digest}
        with self._index.read() as connection:
            row = connection.execute(_VERSION, sought).mappings().first()
        if row is None:
            with self._index.write() as connection:
                _number_of(connection, notebook, step, digest, source, now)
                row = connection.execute(_VERSION, sought).mappings().one()
        return _version_from(row)

    def versions(
        self,
        step: str,
        notebook: str | None = None,
        *,
        numbers: Iterable[int] = (),
        limit: int | None = None,
        extent: Extent | None = None,
    ) -> list[StepVersion]:
        """Versions of a step by notebook, oldest first: all, those of these `numbers`, or the newest of each notebook.

        With an `extent` no more of their sources than that. Raises `UnknownNameError` where no step of this name was ever
        run.
        """
        query = _versions(extent).where(step_versions.c.step == step).order_by(step_versions.c.number.desc())
        if numbers := tuple(numbers):
            query = query.where(step_versions.c.number.in_(numbers))
        versions: list[StepVersion] = []
        with self._index.read() as connection:
            notebooks = [notebook] if notebook is not None else _notebooks_with(connection, step)
            for each in notebooks:
                of_it = query.where(step_versions.c.notebook == each).limit(limit)
                versions += reversed(self._versions_of(connection, of_it, extent))
        if not versions:
            raise UnknownNameError.among("step", step, self.names())
        return versions

    def alike(self, digests: Iterable[str], *, extent: Extent | None = None) -> list[StepVersion]:
        """The versions of these contents, of whatever step and notebook of the project."""
        query = _versions(extent).where(in_list(step_versions.c.digest, "of_digests"))
        query = query.order_by(step_versions.c.notebook, step_versions.c.step, step_versions.c.number)
        with self._index.read() as connection:
            return self._versions_of(connection, query, extent, of_digests=dumps(sorted(digests)))

    def _versions_of(
        self, connection: sa.Connection, query: sa.Select[Any], extent: Extent | None, **values: str
    ) -> list[StepVersion]:
        if extent is None:
            return [_version_from(row) for row in connection.execute(query, values).mappings()]
        rows = connection.execute(query, {**values, **VERSION_EXCERPTS.parameters(extent)}).mappings()
        read = (VERSION_EXCERPTS.read(connection, row, extent, self._known_parts) for row in rows)
        return [_version_from({**version, "left_out": left}) for version, left in read]

    def source(self, step_run: StepRun) -> str:
        """The code that a step run ran."""
        query = sa.select(step_versions.c.source).where(
            step_versions.c.notebook == step_run.notebook,
            step_versions.c.step == step_run.step,
            step_versions.c.number == step_run.version,
        )
        with self._index.read() as connection:
            return str(connection.execute(query).scalar_one())

    def names(self, notebook: str | None = None) -> list[str]:
        """Names of all steps ever recorded (in one notebook)."""
        query, values = (newest.NAMES, {}) if notebook is None else (newest.NAMES_IN, {"in_notebook": notebook})
        with self._index.read() as connection:
            return list(connection.execute(query, values).scalars())

    def record(self, *step_runs: StepRun, told_at: datetime | None = None) -> None:
        """Put whole step runs, new or known, in one transaction; with `told_at` (now) they are also told to tracking."""
        with self._index.write() as connection:
            connection.execute(_UPSERT.on(connection), [_values_of(step_run) for step_run in step_runs])
            if told_at is not None:
                for step_run in step_runs:
                    _tell(connection, step_run.run_id, step_run.id, step_run.step, told_at)

    def journal(self, entries: Iterable[tuple[StepRun, str]], *, now: datetime) -> None:
        """Put whole step runs, new or known, each with its code, in one transaction, and tell tracking.

        The number of a version is given out here: that of the step run does not count.
        """
        entries = list(entries)
        sought = {
            "in_notebooks": dumps(list({step_run.notebook for step_run, _ in entries})),
            "of_steps": dumps(list({step_run.step for step_run, _ in entries})),
            "of_digests": dumps(list({step_run.version_digest for step_run, _ in entries})),
        }
        with self._index.write() as connection:
            numbers = {tuple(which): number for *which, number in connection.execute(_NUMBERS, sought)}
            rows = []
            for step_run, code in entries:
                which = (step_run.notebook, step_run.step, step_run.version_digest)
                if which not in numbers:
                    numbers[which] = _number_of(connection, *which, code, step_run.started_at or now)
                rows.append({**_values_of(step_run), "version": numbers[which]})
            connection.execute(_UPSERT.on(connection), rows)
            for row in rows:
                _tell(connection, row["run_id"], row["id"], row["step"], now)

    def start_run(self, step_run: StepRun) -> None:
        """Insert a step run that has begun (or was reused), and tell tracking."""
        with self._index.write() as connection:
            connection.execute(_INSERT, _values_of(step_run))
            _tell(connection, step_run.run_id, step_run.id, step_run.step, step_run.started_at)

    def update_run(self, step_run_id: str, *, told_at: datetime | None = None, **values: Any) -> None:
        """Set columns of a step run; with `told_at` (now) the change is also told to tracking."""
        with self._index.write() as connection:
            if values:
                connection.execute(_UPDATE, {"of_id": step_run_id, **plain(values)})
            if told_at is not None:
                run_id = connection.execute(_RUN_OF, {"of_id": step_run_id}).scalar_one()
                post(connection, run_id, "step", {"id": step_run_id}, told_at)

    def update_runs(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Set the same columns of several step runs (by id) in one transaction."""
        with self._index.write() as connection:
            connection.execute(_UPDATE, [{"of_id": name, **plain(each)} for name, each in values.items()])

    def forget_failed(self, run_id: str, step: str) -> None:
        """Drop what a run recorded of a step that failed, or did not end, out of its turn."""
        open_or_failed = [Status.FAILED.value, Status.RUNNING.value]
        with self._index.write() as connection:
            connection.execute(
                step_runs.delete().where(
                    step_runs.c.run_id == run_id, step_runs.c.step == step, step_runs.c.status.in_(open_or_failed)
                )
            )

    def run(self, step_run_id: str) -> StepRun:
        """The step run of this id."""
        with self._index.read() as connection:
            return step_run_from(connection.execute(_RUN, {"of_id": step_run_id}).mappings().one())

    def find(self, step_run_id: str) -> StepRun | None:
        """The same; None where the record has been forgotten."""
        with self._index.read() as connection:
            found = connection.execute(_RUN, {"of_id": step_run_id}).mappings().one_or_none()
            return None if found is None else step_run_from(found)

    def runs(
        self,
        *,
        run_id: str | None = None,
        step: str | None = None,
        notebook: str | None = None,
        limit: int | None = None,
        after: int = 0,
    ) -> list[StepRun]:
        """Step runs, newest first; `after` so many that are newer."""
        which: Any = {"run_id": run_id, "step": step, "notebook": notebook, "limit": limit, "after": after}
        with self._index.read() as connection:
            query = history(WHOLE, connection, **which)
            return [step_run_from(row) for row in connection.execute(query).mappings()]

    def listed(
        self,
        *,
        run_id: str | None = None,
        step: str | None = None,
        notebook: str | None = None,
        limit: int | None = None,
        after: int = 0,
        extent: Extent = IN_LIST,
    ) -> list[ListedStepRun]:
        """The same, with no more of each than a list shows."""
        which: Any = {"run_id": run_id, "step": step, "notebook": notebook, "limit": limit, "after": after}
        listed = []
        with self._index.read() as connection:
            query = history(EXCERPTS.columns, connection, **which)
            for row in connection.execute(query, EXCERPTS.parameters(extent)).mappings():
                values, unread = EXCERPTS.read(connection, row, extent, self._known_parts)
                listed.append(listed_step_run(step_run_from(values), unread, extent))
            labels = labels_of(connection, listed)
            computed = durations_of(connection, {run.reused_from for run in listed if run.reused_from})
        return [replace(run, label=labels[run.id], computed=computed.get(run.reused_from or "")) for run in listed]

    def labels(self, of: Iterable[StepRun]) -> dict[str, str]:
        """Id → what people know the step by, of step runs of whatever notebooks."""
        with self._index.read() as connection:
            return labels_of(connection, of)

    def computed(self, version: StepVersion) -> StepRun | None:
        """The newest step run of a version that computed a result which is kept."""
        of_it = (step_runs.c.notebook == version.notebook, step_runs.c.version_digest == version.digest)
        query = sa.select(step_runs).where(
            *of_it, step_runs.c.step == version.step, step_runs.c.status == COMPLETED, step_runs.c.result.is_not(None)
        )
        with self._index.read() as connection:
            row = connection.execute(query.order_by(NEWEST).limit(1)).mappings().first()
        return None if row is None else step_run_from(row)

    def lines(self, run_id: str) -> list[StepLine]:
        """The step runs of a run in short, newest first."""
        with self._index.read() as connection:
            return lines_of(connection, run_id)

    def candidates(self, key: str, *, limit: int = 20) -> list[StepRun]:
        """Completed step runs of this key whose result may be reused, newest first."""
        if not self._index.has_key(key):  # mostly there is none, which a cell should not wait for
            return []
        with self._index.read() as connection:
            rows = connection.execute(_CANDIDATES, {"of_key": key, "at_most": limit}).mappings()
            return [found for row in rows if not (found := step_run_from(row)).unrepeatable]

    def last(self, notebook: str, steps: Iterable[str] | None = None) -> dict[str, StepRun]:
        """The newest step run of each step of a notebook (of these `steps`), however it ended."""
        query, values = newest.LAST, {"in_notebook": notebook}
        if steps is not None:
            query, values = newest.LAST_OF, {**values, "of_steps": dumps(list(steps))}
        with self._index.read() as connection:
            return {run.step: run for run in self._known(connection.execute(query, values))}

    def last_everywhere(self) -> list[StepRun]:
        """The newest step run of each step of each notebook, however it ended; the newest first."""
        with self._index.read() as connection:
            return list(self._known(connection.execute(newest.EVERYWHERE)))

    def last_of_run(self, run_id: str) -> dict[str, StepRun]:
        """The newest step run of each step that a run came to, however it ended."""
        with self._index.read() as connection:
            return {run.step: run for run in self._known(connection.execute(newest.LAST_IN_RUN, {"in_run": run_id}))}

    def some(self, step_run_ids: Iterable[str]) -> dict[str, StepRun]:
        """The step runs of these ids, as far as they are there."""
        with self._index.read() as connection:
            rows = connection.execute(newest.SOME, {"of_ids": dumps(list(step_run_ids))})
            return {run.id: run for run in self._known(rows)}

    def last_by_need(self, notebook: str) -> Callable[[str], StepRun | None]:
        """The same as of now, in one question; what it gives takes apart only the step run of the step that is wanted."""
        at = [column.key for column in newest.RAW].index("step")
        with self._index.read() as connection:
            rows = {row[at]: row for row in connection.execute(newest.LAST, {"in_notebook": notebook})}

        def of(step: str) -> StepRun | None:
            with self._index.rows_told():
                return next(self._known([rows[step]])) if step in rows else None

        return of

    def _known(self, rows: Iterable[Any]) -> Iterator[StepRun]:
        return self._read.of(rows, self._index.engine.dialect)

    def newest(self, notebook: str, digests: Iterable[str] | None = None) -> dict[str, list[StepRun]]:
        """For each step of a notebook the newest completed step run of each version (of these `digests`), newest first."""
        found: dict[str, list[StepRun]] = {}
        query, values = newest.OF_VERSIONS, {"in_notebook": notebook}
        if digests is not None:
            query, values = newest.OF_DIGESTS, {**values, "of_digests": dumps(list(digests))}
        with self._index.read() as connection:
            for step_run in self._known(connection.execute(query, values)):
                found.setdefault(step_run.step, []).append(step_run)
        return found

    def completed(self, notebook: str, steps: Iterable[str]) -> dict[str, StepRun]:
        """The newest completed step run of each of these steps of a notebook, whatever its code was."""
        values = {"in_notebook": notebook, "of_steps": dumps(list(steps))}
        with self._index.read() as connection:
            return {run.step: run for run in self._known(connection.execute(newest.COMPLETED_OF, values))}


def _versions(extent: Extent | None) -> sa.Select[Any]:
    columns: list[Any] = [step_versions] if extent is None else VERSION_EXCERPTS.columns
    return sa.select(*columns)


def _notebooks_with(connection: sa.Connection, step: str) -> list[str]:
    return list(connection.execute(newest.NOTEBOOKS_WITH, {"of_step": step}).scalars())


def end_open(
    connection: sa.Connection, run_id: str, status: Status, error: str, now: datetime, ended_well: Mapping[str, float]
) -> None:
    """End the step runs of a run that had begun and will not go on; those of the cells `ended_well` (id → seconds) as
    completed ones whose results were not kept."""
    for step_run_id, cell_id in connection.execute(_OPEN_OF, {"in_run": run_id}).all():
        told: dict[str, Any] = {"status": status.value, "error": beginning(error, KEPT_ERROR)}
        if cell_id in ended_well:
            told = {"status": Status.COMPLETED.value, "unrepeatable": UNSAVED, "duration": ended_well[cell_id]}
        connection.execute(_UPDATE, {"of_id": step_run_id, "ended_at": now, **told})
        post(connection, run_id, "step", {"id": step_run_id}, now)


def _tell(connection: sa.Connection, run_id: str, step_run_id: str, step: str, now: datetime | None) -> None:
    """Have tracking told of a step run; of a cell that no one named it shows nothing."""
    if is_named(step):
        post(connection, run_id, "step", {"id": step_run_id}, now)


def _number_of(connection: sa.Connection, notebook: str, step: str, digest: str, source: str, now: datetime) -> int:
    """The number of the version of this content, made where it is new."""
    same = {"in_notebook": notebook, "of_step": step}
    found: int | None = connection.execute(_NUMBER, {**same, "of_digest": digest}).scalar()
    if found is None:
        found = int(connection.execute(_LAST_NUMBER, same).scalar_one()) + 1
        values = {"notebook": notebook, "step": step, "number": found, "digest": digest}
        connection.execute(_INSERT_VERSION, {**values, "source": source, "created_at": now})
    return found


def _version_from(row: Any) -> StepVersion:
    return StepVersion(**{name: value for name, value in dict(row).items() if name != "id"})


def _values_of(step_run: StepRun) -> dict[str, Any]:
    return plain(vars(step_run))


# Statements are made once: SQLAlchemy then finds their compiled form in its cache in no time, which each cell profits from.
_VERSION = sa.select(step_versions).where(
    step_versions.c.notebook == sa.bindparam("in_notebook"),
    step_versions.c.step == sa.bindparam("of_step"),
    step_versions.c.digest == sa.bindparam("of_digest"),
)
_NUMBER = sa.select(step_versions.c.number).where(
    step_versions.c.notebook == sa.bindparam("in_notebook"),
    step_versions.c.step == sa.bindparam("of_step"),
    step_versions.c.digest == sa.bindparam("of_digest"),
)
_NUMBERS = sa.select(
    step_versions.c.notebook, step_versions.c.step, step_versions.c.digest, step_versions.c.number
).where(
    in_list(step_versions.c.notebook, "in_notebooks"),
    in_list(step_versions.c.step, "of_steps"),
    in_list(step_versions.c.digest, "of_digests"),
)
_LAST_NUMBER = sa.select(sa.func.coalesce(sa.func.max(step_versions.c.number), 0)).where(
    step_versions.c.notebook == sa.bindparam("in_notebook"), step_versions.c.step == sa.bindparam("of_step")
)
_INSERT_VERSION = step_versions.insert()
_INSERT = step_runs.insert()
_UPSERT = Upsert(step_runs)
_UPDATE = step_runs.update().where(step_runs.c.id == sa.bindparam("of_id"))
_RUN = sa.select(step_runs).where(step_runs.c.id == sa.bindparam("of_id"))
_OPEN_OF = sa.select(step_runs.c.id, step_runs.c.cell_id).where(
    step_runs.c.run_id == sa.bindparam("in_run"), step_runs.c.status == Status.RUNNING.value
)
_RUN_OF = sa.select(step_runs.c.run_id).where(step_runs.c.id == sa.bindparam("of_id"))
_REUSABLE = (
    step_runs.c.status == COMPLETED,
    sa.type_coerce(step_runs.c.unrepeatable, sa.String) == NO_REASON,
    step_runs.c.result.is_not(None),
)
_AT_MOST: sa.BindParameter[int] = sa.bindparam("at_most", type_=sa.Integer)
_CANDIDATES = (
    sa.select(step_runs).where(step_runs.c.key == sa.bindparam("of_key"), *_REUSABLE).order_by(NEWEST).limit(_AT_MOST)
)
