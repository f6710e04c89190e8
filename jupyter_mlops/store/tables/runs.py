"""Runs in the index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.brief import IN_DETAIL, IN_LIST, Extent
from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.domain.listed import listed_run
from jupyter_mlops.domain.run import Run, RunFailure, RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.store.backup.logbook import GONE, RUNS, note
from jupyter_mlops.store.db.excerpts import Excerpts, Known
from jupyter_mlops.store.db.index import Index, surviving
from jupyter_mlops.store.db.portable import in_list, items_of
from jupyter_mlops.store.db.rows import plain, run_from
from jupyter_mlops.store.db.schema import notices, outbox, runs, step_runs, tracked
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.tables.attempts import host_of, insert_run, is_here, take_up
from jupyter_mlops.store.tables.notices import announce
from jupyter_mlops.store.tables.outbox import post
from jupyter_mlops.store.tables.steps import end_open

Runs = list[Run]
OPEN = (Status.PENDING.value, Status.RUNNING.value)


@surviving
class RunStore:
    """Creates, changes and finds runs. Every change of a run is told to tracking in the same transaction.

    One run is given whole; of each of several only what a list shows, and what that leaves out.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known: Known = {}

    def create(self, run: Run) -> Run:
        """Insert `run` under the next number (its own `number` is ignored) and return it as stored."""
        with self._index.write() as connection:
            insert_run(connection, run)
        return self.get(run.id)

    def update(self, run_id: str, *, told_at: datetime | None = None, **values: Any) -> None:
        """Set columns of a run; with `told_at` (now) the change is also told to tracking.

        `tags` are merged into those there: kernel, engine and tracking each know some of them.
        """
        with self._index.write() as connection:
            if "tags" in values:
                tags = connection.execute(_TAGS, {"of_id": run_id}).scalar_one()
                values["tags"] = {**tags, **values["tags"]}
            connection.execute(_UPDATE, {"of_id": run_id, **plain(values)})
            if told_at is not None:
                post(connection, run_id, "run", {"id": run_id}, told_at)

    def start(self, run_id: str, *, now: datetime, **values: Any) -> bool:
        """Claim a pending run for this process. False where it is no longer pending: someone else has it, or it ended."""
        pid, started = processes.this_process()
        values |= {"started_at": now, "pid": pid, "pid_started": started}
        with self._index.write() as connection:
            values["host"] = host_of(connection)
            return self._moved(connection, run_id, (Status.PENDING,), Status.RUNNING, now, **values)

    def finish(
        self,
        run_id: str,
        status: Status,
        *,
        now: datetime,
        error: RunFailure | None = None,
        only: Sequence[Status] = (Status.PENDING, Status.RUNNING),
        steps: tuple[Status, str] | None = None,
        ended_well: Mapping[str, float] | None = None,
        **values: Any,
    ) -> bool:
        """End a run that has not ended. False where it had: the first word stands. See `attempts` for what follows.

        With `steps`, those of its steps that are still open end so, for this reason; but those of the cells `ended_well`
        (id → seconds) completed, and their results were not kept.
        """
        with self._index.write(durable=True) as connection:
            if steps is not None:
                end_open(connection, run_id, *steps, now, ended_well or {})
            return self._moved(connection, run_id, only, status, now, ended_at=now, error=error, **values)

    def lose(self, run: Run, *, now: datetime, error: RunFailure) -> bool:
        """End `run` and its steps, of which no process works any more; False where it is not held as it was."""
        held = sa.and_(_is(runs.c.worker_id, run.worker_id), _is(runs.c.lease_until, run.lease_until))
        with self._index.write(durable=True) as connection:
            if not self._moved(
                connection, run.id, (run.status,), Status.LOST, now, held=held, ended_at=now, error=error
            ):
                return False
            self._lose_steps(connection, run.id, now)
        return True

    def _lose_steps(self, connection: sa.Connection, run_id: str, now: datetime) -> None:
        connection.execute(
            step_runs.update()
            .where(step_runs.c.run_id == run_id, step_runs.c.status.in_(OPEN))
            .values(status=Status.LOST.value, ended_at=now, error="The process that executed it is gone.")
        )

    def _moved(
        self,
        connection: sa.Connection,
        run_id: str,
        sources: Sequence[Status],
        target: Status,
        now: datetime,
        *,
        held: sa.ColumnElement[bool] | None = None,
        **values: Any,
    ) -> bool:
        move = _MOVE if held is None else _MOVE.where(held)
        sought = {"of_id": run_id, "sources": [source.value for source in sources]}
        changed = connection.execute(move, {**sought, **plain({"status": target, **values})}).rowcount
        if changed:
            post(connection, run_id, "run", {"id": run_id}, now)
            if target.ended:
                row = connection.execute(_ROW, {"of_id": run_id}).mappings().one()
                note(connection, RUNS, dict(row))
                # A run that is taken up anew has not ended for those who wait for it.
                if take_up(connection, row, target, values.get("error"), now) is None:
                    announce(connection, row, target, now)
        return bool(changed)

    def add_metrics(self, run_id: str, metrics: dict[str, float], *, now: datetime) -> None:
        """Merge metrics into a run's."""
        self._merge(run_id, runs.c.metrics, metrics, now)

    def add_parameters(self, run_id: str, parameters: dict[str, Any], *, now: datetime) -> None:
        """Merge parameters into a run's."""
        self._merge(run_id, runs.c.parameters, parameters, now)

    def _merge(self, run_id: str, column: sa.Column[Any], values: dict[str, Any], now: datetime) -> None:
        with self._index.write() as connection:
            found = connection.execute(sa.select(column).where(runs.c.id == run_id)).scalar_one()
            connection.execute(runs.update().where(runs.c.id == run_id).values({column: {**found, **values}}))
            post(connection, run_id, "run", {"id": run_id}, now)

    def get(self, run: str | int) -> Run:
        """The run of this id or number (or a text that holds a number). Raises `UnknownNameError`."""
        return self._found(run, _WHOLE, None)

    def detail(self, run: str | int) -> Run:
        """The same, with no more of it than a view of the run can show."""
        return self._found(run, _RUNS, IN_DETAIL)

    def _found(self, run: str | int, query: sa.Select[Any], extent: Extent | None) -> Run:
        text = str(run)
        is_number = text.isdecimal() and len(text) < 10
        condition = _OF_NUMBER if is_number else _OF_ID
        matching = self._select(query.where(condition), extent, of_number=int(text) if is_number else 0, of_id=text)
        if not matching:
            with self._index.read() as connection:
                numbers = connection.execute(
                    sa.select(runs.c.number).order_by(runs.c.number.desc()).limit(12)
                ).scalars()
                raise UnknownNameError.among("run", text, [str(number) for number in numbers])
        return matching[0]

    def list(
        self,
        *,
        notebook: str | None = None,
        kinds: Sequence[str] = (),
        status: Status | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> Runs:
        """Runs, newest first: of a notebook, of these kinds, of a status; with `before` only those of a lower number."""
        query = _RUNS if notebook is None else _RUNS.where(runs.c.notebook == notebook)
        if kinds:
            query = query.where(runs.c.kind.in_(kinds))
        if status is not None:
            query = query.where(runs.c.status == status.value)
        if before is not None:
            query = query.where(runs.c.number < before)
        return self._select(query.limit(limit))

    def numbers(self, run_ids: Iterable[str]) -> dict[str, int]:
        """The numbers of these runs, by id."""
        with self._index.read() as connection:
            rows = connection.execute(_NUMBERS, {"of_ids": dumps(sorted(set(run_ids)))})
            return {row.id: row.number for row in rows}

    def unfinished(self) -> Run | None:
        """The newest run, no session, that ended without completing and that no other continues; it is whole."""
        return next(iter(self._select(_UNFINISHED, None)), None)

    def newest_numbers(self, *, limit: int) -> Sequence[int]:
        """The numbers of the newest runs, newest first."""
        with self._index.read() as connection:
            return connection.execute(_NEWEST_NUMBERS, {"at_most": limit}).scalars().all()

    def continuing(self, run_id: str) -> Runs:
        """Runs that continue this one, newest first."""
        return self._select(_RUNS.where(runs.c.resumes == run_id))

    def remove(self, run_id: str) -> None:
        """Forget a run and its steps."""
        with self._index.write(durable=True) as connection:
            of_it = sa.select(step_runs.c.id).where(step_runs.c.run_id == run_id)
            connection.execute(tracked.delete().where((tracked.c.entity_id == run_id) | tracked.c.entity_id.in_(of_it)))
            connection.execute(outbox.delete().where(outbox.c.run_id == run_id))
            connection.execute(notices.delete().where(notices.c.run_id == run_id))
            connection.execute(step_runs.delete().where(step_runs.c.run_id == run_id))
            connection.execute(runs.delete().where(runs.c.id == run_id))
            note(connection, GONE, {"id": run_id})

    def newest_session(self, notebook: str) -> str | None:
        """The id of the newest live session of a notebook."""
        with self._index.read() as connection:
            found: str | None = connection.execute(_NEWEST_SESSION, {"in_notebook": notebook}).scalar()
            return found

    def of_output(self, paths: Iterable[str]) -> Run | None:
        """The newest run whose executed notebook was written to one of these paths."""
        found = self._select(_OF_OUTPUT, of_paths=dumps(list(paths)))
        return found[0] if found else None

    def numbers_and_kinds(self, run_ids: Iterable[str]) -> dict[str, tuple[int, str]]:
        """Id → number and kind, of those runs that are there."""
        with self._index.read() as connection:
            rows = connection.execute(_NUMBERS_AND_KINDS, {"of_ids": dumps(list(run_ids))})
            return {run_id: (number, kind) for run_id, number, kind in rows}

    def open(self) -> Runs:
        """Runs that have not ended, newest first."""
        return self._select(_OPEN)

    def open_of_schedule(self, schedule_id: str) -> Runs:
        """Runs of a schedule that have not ended, newest first."""
        return self._select(_OPEN_OF_SCHEDULE, of_schedule=schedule_id)

    def first_waiting_of_schedules(self) -> Run | None:
        """The oldest run of a schedule that no process has begun."""
        return next(iter(self._select(_FIRST_WAITING)), None)

    def going_on(self, run_ids: Sequence[str]) -> dict[str, Status]:
        """Those of these runs that have not ended, with what they are."""
        with self._index.read() as connection:
            rows = connection.execute(_GOING_ON, {"of_ids": dumps(run_ids)})
            return {run_id: Status(status) for run_id, status in rows}

    def at_work(self) -> Runs:
        """Open runs that a process has, newest first; the others wait in the queue, and may be many."""
        return self._select(_AT_WORK)

    def reconcile(self, *, now: datetime, at_work: Sequence[Run] | None = None) -> Runs:
        """Mark as lost what runs on this machine under a process that is gone; returns those runs as they were.

        `at_work`: what `at_work()` has just given. Runs of workers are the queue's.
        """
        gone = [
            run
            for run in (self.at_work() if at_work is None else at_work)
            if run.status is Status.RUNNING
            and run.worker_id is None
            and is_here(run)
            and not processes.is_alive(run.pid, run.pid_started)
        ]
        for run in gone:
            if run.kind is RunKind.SESSION:
                self.finish(run.id, Status.COMPLETED, now=now, kernel_gone=True)
                with self._index.write() as connection:
                    self._lose_steps(connection, run.id, now)
                    post(connection, run.id, "run", {"id": run.id}, now)
            else:
                self.lose(run, now=now, error=RunFailure("runner_lost", "The process that executed this run is gone."))
        return gone

    def _select(self, query: sa.Select[Any], extent: Extent | None = IN_LIST, **values: Any) -> Runs:
        """The runs of a query of `_RUNS`, or of `_WHOLE` where there is no `extent`."""
        selected = []
        with self._index.read() as connection:
            if extent is not None:
                values |= EXCERPTS.parameters(extent)
            for row in connection.execute(query, values).mappings():
                counts = row["executed"], row["reused"]
                columns = {column.name: row[column.name] for column in runs.c}
                if extent is None:
                    selected.append(run_from(columns, *counts))
                else:
                    columns, unread = EXCERPTS.read(connection, columns, extent, self._known)
                    selected.append(listed_run(run_from(columns, *counts), unread, extent))
        return selected


def _count(*statuses: Status) -> Any:
    """How many step runs of a run have one of these statuses."""
    among = step_runs.c.status.in_([status.value for status in statuses])
    return sa.select(sa.func.count()).where(step_runs.c.run_id == runs.c.id, among).scalar_subquery()


# Made once, as making a statement takes longer than asking it.
EXCERPTS = Excerpts(runs, objects=("parameters", "tags", "error", "options"), numbers=("metrics",))
_COUNTS = (
    _count(Status.COMPLETED, Status.FAILED, Status.RUNNING, Status.CANCELED, Status.LOST).label("executed"),
    _count(Status.REUSED).label("reused"),
)
_RUNS = sa.select(*EXCERPTS.columns, *_COUNTS).order_by(runs.c.number.desc())
_WHOLE = sa.select(runs, *_COUNTS).order_by(runs.c.number.desc())
_UPDATE = runs.update().where(runs.c.id == sa.bindparam("of_id"))
_MOVE = _UPDATE.where(runs.c.status.in_(sa.bindparam("sources", expanding=True)))
_ROW = sa.select(runs).where(runs.c.id == sa.bindparam("of_id"))
_TAGS = sa.select(runs.c.tags).where(runs.c.id == sa.bindparam("of_id"))
_OF_ID = runs.c.id == sa.bindparam("of_id")
_OF_NUMBER = runs.c.number == sa.bindparam("of_number")
_NEWEST_NUMBERS = (
    sa.select(runs.c.number).order_by(runs.c.number.desc()).limit(sa.bindparam("at_most", type_=sa.Integer))
)
_NUMBERS_AND_KINDS = sa.select(runs.c.id, runs.c.number, runs.c.kind).where(in_list(runs.c.id, "of_ids"))
_PATHS = items_of(sa.bindparam("of_paths", type_=sa.Text)).subquery()
_WRITTEN = runs.alias("written")
_LAST_TO = sa.select(sa.func.max(_WRITTEN.c.number)).where(_WRITTEN.c.output_path == _PATHS.c.value).scalar_subquery()
"""The number of the newest run that wrote to a path: one file may be that of each run."""
_OF_OUTPUT = _RUNS.where(runs.c.number.in_(sa.select(_LAST_TO.correlate(_PATHS)).select_from(_PATHS))).limit(1)
_NEWEST_SESSION = (
    sa.select(runs.c.id)
    .where(runs.c.notebook == sa.bindparam("in_notebook"), runs.c.kind == RunKind.SESSION.value)
    .order_by(runs.c.number.desc())
    .limit(1)
)
_OPEN = _RUNS.where(runs.c.status.in_(OPEN))
_GOING_ON = sa.select(runs.c.id, runs.c.status).where(in_list(runs.c.id, "of_ids"), runs.c.status.in_(OPEN))
_NUMBERS = sa.select(runs.c.id, runs.c.number).where(in_list(runs.c.id, "of_ids"))
_LATER = runs.alias("later")
_UNFINISHED = _WHOLE.where(
    runs.c.kind != RunKind.SESSION.value,
    runs.c.status.in_([Status.FAILED.value, Status.CANCELED.value, Status.LOST.value]),
    ~sa.exists().where(_LATER.c.resumes == runs.c.id),
).limit(1)
_OPEN_OF_SCHEDULE = _OPEN.where(runs.c.schedule_id == sa.bindparam("of_schedule"))
_FIRST_WAITING = (
    _RUNS.where(runs.c.status == Status.PENDING.value, runs.c.schedule_id.is_not(None))
    .order_by(None)
    .order_by(runs.c.number)
    .limit(1)
)
_AT_WORK = _OPEN.where(runs.c.pid.is_not(None))


def _is(column: sa.Column[Any], value: Any) -> sa.ColumnElement[bool]:
    return column.is_(None) if value is None else column == value
