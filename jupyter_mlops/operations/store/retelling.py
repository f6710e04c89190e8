"""What tells of runs when the index does not: journals, the notebooks in `runs/`, MLflow's own store, the last number."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.counted import counted
from jupyter_mlops.domain.run import Run, RunFailure, RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.execution.notebook.journal import NOTEBOOK, RUN_ENDED, RUN_STARTED
from jupyter_mlops.store.backup.mark import Mark
from jupyter_mlops.store.backup.rolling import IndexBackup
from jupyter_mlops.store.db.portable import among
from jupyter_mlops.store.db.readable import UnreadableRow, readable, unreadable
from jupyter_mlops.store.db.rows import plain
from jupyter_mlops.store.db.schema import fires, metadata, runs, schedules, sightings, step_runs
from jupyter_mlops.store.db.sqlite_connect import reading_engine_of
from jupyter_mlops.store.files.journals import Journals
from jupyter_mlops.store.transfer.salvage import Salvage

MOST = 1000
"""So many runs of which nothing but the number is known are listed one by one, the newest."""
UNKNOWN = "(no longer known)"
_NUMBERED = re.compile(r"-(\d{1,9})\.ipynb")
_MLFLOW_STATUS = {"FINISHED": Status.COMPLETED, "KILLED": Status.CANCELED}


class RetoldRuns:
    """The runs of an index that is made again, and what was found out of them."""

    def __init__(self, folder: Path, connection: sa.Connection, now: datetime) -> None:
        self.folder = folder
        self.connection = connection
        self.now = now
        self.came: list[str] = []
        self.missing: list[str] = []
        self.bare: set[str] = set()
        """Runs that came without their steps."""

    def ids(self) -> dict[str, str]:
        """Id → status of all runs."""
        return {row.id: row.status for row in self.connection.execute(sa.select(runs.c.id, runs.c.status))}

    def numbers(self) -> set[int]:
        """The numbers that are taken."""
        return set(self.connection.execute(sa.select(runs.c.number)).scalars())

    def add(self, run: Run) -> None:
        """List a run under its number, or under the next one where that is another's."""
        taken = self.numbers()
        number = run.number if run.number and run.number not in taken else max(taken, default=0) + 1
        values = plain(vars(replace(run, number=number)))
        self.connection.execute(runs.insert(), {name: value for name, value in values.items() if name in runs.c})
        if run.status is not Status.LOST or run.notebook != UNKNOWN:
            self.bare.add(run.id)

    def count(self, salvage: Salvage) -> None:
        """Say what came with rows of their own."""
        names = {"runs": "run", "step_runs": "step run", "schedules": "schedule", "step_versions": "version"}
        for table, name in names.items():
            if salvage.came[table]:
                self.came.append(f"{counted(salvage.came[table], name)} recorded after it")
        if salvage.came["ends"]:
            self.came.append(f"how {counted(salvage.came['ends'], 'run')} ended")
        self.bare |= salvage.told

    def tell_steps(self, since: datetime | None) -> None:
        """Say of which runs it is not known what their steps did."""
        with_steps = sa.select(step_runs.c.run_id)
        query = sa.select(runs.c.number).where(among(runs.c.id, sorted(self.bare)), runs.c.id.not_in(with_steps))
        numbers = sorted(self.connection.execute(query).scalars())
        if numbers:
            self.missing.append(
                f"what the steps of {_listed(numbers)} did, and their results: they run again where they are needed"
            )
        if since is not None:
            self.missing.append(f"steps that other runs and open kernels executed after {since:%Y-%m-%d %H:%M:%S} UTC")

    def mend_rows(self, salvage: Salvage, backups: Iterable[IndexBackup]) -> None:
        """Rows that cannot be read are put back as the newest backup that has them; else they go, and it is told."""
        broken = list(unreadable(self.connection))
        if not broken:
            return
        wanted = {(row.table, row.key) for row in broken}
        for row in broken:
            self._delete(row)
        for backup in backups:
            engine = reading_engine_of(backup.path)
            with contextlib.suppress(sa.exc.SQLAlchemyError), engine.connect() as source:
                for name in ("runs", "schedules", "step_versions", "step_runs", "fires", "sightings"):
                    keys = [column.name for column in metadata.tables[name].primary_key.columns]
                    rows = (row for row in readable(source, metadata.tables[name], "rowid") if isinstance(row, dict))
                    back = [row for row in rows if (name, tuple(str(row[key]) for key in keys)) in wanted]
                    salvage.put(name, back)
                    wanted -= {(name, tuple(str(row[key]) for key in keys)) for row in back}
        self.missing += [f"{row}" for row in broken if (row.table, row.key) in wanted]

    def _delete(self, row: UnreadableRow) -> None:
        table = metadata.tables[row.table]
        keys = zip(table.primary_key.columns, row.key, strict=True)
        self.connection.exec_driver_sql("pragma defer_foreign_keys = on")  # what refers to it stays, if it comes back
        self.connection.execute(table.delete().where(*(sa.cast(column, sa.Text) == key for column, key in keys)))

    def drop_orphans(self) -> None:
        """What refers to a row that did not come back goes, and that is told."""
        referring = (
            (step_runs, step_runs.c.run_id, runs),
            (fires, fires.c.schedule_id, schedules),
            (sightings, sightings.c.schedule_id, schedules),
        )
        for table, column, target in referring:
            lost = column.not_in(sa.select(target.c.id))
            count = self.connection.execute(table.delete().where(lost)).rowcount
            if count:
                self.missing.append(f"{counted(count, table.name.replace('_', ' ')[:-1])} of what was not recovered")


def retell(known: RetoldRuns, mark: Mark | None) -> None:
    """List the runs that only journals or MLflow tell of, and let numbers go on after the highest there was."""
    journals, told = _of_journals(known)
    listed = _of_mlflow(known)
    if journals:
        known.came.append(f"{counted(journals, 'run')} by journal: when and how it ran, not its steps' results")
    if told:
        known.came.append(f"how {counted(told, 'run')} ended, by journal")
    if listed:
        known.came.append(f"{counted(listed, 'run')} by MLflow: when and how it ran, not its steps' results")
    _go_on(known, max([mark.runs if mark is not None else 0, *_numbers_of_notebooks(known.folder)]))


def _of_journals(known: RetoldRuns) -> tuple[int, int]:
    """How many runs were listed, and of how many the end was told."""
    listed = told = 0
    ids = known.ids()
    journals = Journals(known.folder / "journals")
    for run_id in sorted(journals.ids()):
        run = _run_of(journals, run_id)
        if run is None:
            continue
        if run_id not in ids:
            known.add(run)
            listed += 1
        elif not Status(ids[run_id]).ended:
            names = ("status", "started_at", "ended_at", "error", "pid", "pid_started")
            values = plain({name: getattr(run, name) for name in names})
            known.connection.execute(runs.update().where(runs.c.id == run_id), values)
            told += run.status.ended
    return listed, told


def _run_of(journals: Journals, run_id: str) -> Run | None:
    """The run that a journal tells of."""
    events = journals.read(run_id)
    began: dict[str, Any] = next(events, {})
    if began.get("event") != RUN_STARTED:
        return None
    parameters: dict[str, Any] = {}
    for event in events:
        if event["event"] == NOTEBOOK:
            with contextlib.suppress(KeyError, TypeError):
                parameters = dict(event["notebook"]["metadata"]["papermill"]["parameters"])
            break
    last = journals.last(run_id) or {}
    has_ended = last.get("event") == RUN_ENDED
    at = datetime.fromisoformat(began["at"])
    return Run(
        id=run_id,
        number=int(began.get("number") or 0),
        kind=RunKind.JOB,
        notebook=str(began.get("notebook") or UNKNOWN),
        status=Status(last["status"]) if has_ended else Status.RUNNING,
        parameters=parameters,
        error=RunFailure(**last["error"]) if has_ended and last.get("error") else None,
        attempt=int(began.get("attempt") or 0),
        resumes=began.get("resumes"),
        pid=began.get("pid"),
        pid_started=began.get("pid_started"),
        created_at=at,
        started_at=at,
        ended_at=datetime.fromisoformat(last["at"]) if has_ended else None,
    )


def _of_mlflow(known: RetoldRuns) -> int:
    """List what MLflow's store in the folder tells of, where nothing else does."""
    ids, listed = known.ids(), 0
    for run in _mlflow_runs(known.folder / "mlflow.db"):
        if run.id not in ids:
            known.add(run)
            listed += 1
    return listed


def _mlflow_runs(path: Path) -> Iterator[Run]:
    if not path.is_file():
        return
    query = (
        "select run_uuid, key, value from tags"
        " where key in ('mlops.id', 'mlops.number', 'mlops.kind', 'mlflow.source.name')"
    )
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
        ) as connection:
            tags: dict[str, dict[str, str]] = {}
            for run_uuid, key, value in connection.execute(query):
                tags.setdefault(run_uuid, {})[key] = value
            rows = list(
                connection.execute("select run_uuid, status, start_time, end_time from runs order by start_time")
            )
    except sqlite3.Error:
        return
    for run_uuid, status, start, end in rows:
        told = tags.get(run_uuid, {})
        if "mlops.number" not in told or "mlops.id" not in told or not start:
            continue
        at = datetime.fromtimestamp(start / 1000, timezone.utc)
        yield Run(
            id=told["mlops.id"],
            number=int(told["mlops.number"]),
            kind=_kind(told.get("mlops.kind", "")),
            notebook=told.get("mlflow.source.name", UNKNOWN),
            status=_MLFLOW_STATUS.get(status, Status.FAILED if status == "FAILED" else Status.LOST),
            mlflow_run_id=run_uuid,
            created_at=at,
            started_at=at,
            ended_at=datetime.fromtimestamp(end / 1000, timezone.utc) if end else None,
        )


def _kind(text: str) -> RunKind:
    return RunKind(text) if text in {kind.value for kind in RunKind} else RunKind.JOB


def _numbers_of_notebooks(folder: Path) -> Iterator[int]:
    """The numbers that executed notebooks in `runs/` have in their names."""
    with contextlib.suppress(OSError):
        for path in (folder.parent / "runs").iterdir():
            if found := _NUMBERED.search(path.name):
                yield int(found[1])


def _go_on(known: RetoldRuns, highest: int) -> None:
    """A number is never given twice: those of which nothing else is known are listed as lost."""
    taken = known.numbers()
    if highest <= max(taken, default=0):
        return
    lost = list(range(max(taken, default=0) + 1, highest + 1))[-MOST:]
    error = RunFailure("record_lost", "The record of this run was lost with the index.")
    for number in lost:
        run_id = f"lost{number:028d}"
        known.add(
            Run(
                run_id, number, RunKind.JOB, UNKNOWN, Status.LOST, created_at=known.now, ended_at=known.now, error=error
            )
        )
    known.missing.append(f"all but the number of {_listed(lost)}")


def _listed(numbers: list[int]) -> str:
    """Run 3; runs 3, 4 and 9; of many the first and the last."""
    if len(numbers) == 1:
        return f"run {numbers[0]}"
    if len(numbers) > 12:
        return f"{len(numbers)} runs from {numbers[0]} to {numbers[-1]}"
    return f"runs {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
