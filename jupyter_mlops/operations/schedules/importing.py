"""`schedule import`: job definitions of jupyter-scheduler as schedules, each once. Its database is only read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_mlops.analysis.parameters.declared import checked_parameters, parse_value
from jupyter_mlops.analysis.pipeline.cells import cells_of
from jupyter_mlops.domain.json_text import loads
from jupyter_mlops.domain.schedule import Overlap, Schedule, Timing
from jupyter_mlops.errors import InputError, MLOpsError, NotebookError
from jupyter_mlops.jobs.scheduler.cron import local_timezone
from jupyter_mlops.operations.schedules.making import ScheduleRequest, checked_schedule
from jupyter_mlops.store.files.atomic import write_atomically
from jupyter_mlops.store.files.notebooks import parse_notebook
from jupyter_mlops.store.store import Store

TABLE = "job_definitions"
STAGED = "scheduler_staging_area"
_COLUMNS = ("job_definition_id", "name", "input_filename", "schedule", "timezone", "parameters", "active")


@dataclass(frozen=True)
class ImportedDefinition:
    """What became of one job definition: `schedule` is the number it has here, `problem` why it has none."""

    name: str
    notebook: str
    cron: str
    schedule: int | None = None
    problem: str = ""
    notes: tuple[str, ...] = field(default=())


def import_definitions(
    store: Store, database: Path, staged: Path | None = None, *, now: datetime, dry_run: bool = False
) -> list[ImportedDefinition]:
    """Make a schedule of each job definition in jupyter-scheduler's `database`, with its copy of the notebook pinned.

    `staged` is its folder of copies, by default beside the database. A definition that was imported before is left out;
    one that is not active becomes a paused schedule. Raises `InputError` where the database cannot be read.
    """
    staged = database.parent / STAGED if staged is None else staged
    return [_imported(store, row, staged, now, dry_run) for row in _definitions(database)]


def default_database() -> Path:
    """Where jupyter-scheduler keeps its database unless it is told otherwise."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "scheduler.sqlite"


def _definitions(database: Path) -> Iterator[Mapping[str, Any]]:
    import sqlite3
    from contextlib import closing

    if not database.is_file():
        raise InputError(
            f"There is no database of jupyter-scheduler at '{database}'.",
            "Name it: jupyter mlops schedule import DATABASE",
        )
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            query = f"select {', '.join(_COLUMNS)} from {TABLE} order by create_time, job_definition_id"
            yield from [dict(row) for row in connection.execute(query)]
    except sqlite3.Error as error:
        raise InputError(
            f"'{database}' cannot be read as a database of jupyter-scheduler: {error}.",
            "It is usually called scheduler.sqlite, in Jupyter's data folder: jupyter --data-dir",
        ) from error


def _imported(store: Store, row: Mapping[str, Any], staged: Path, now: datetime, dry_run: bool) -> ImportedDefinition:
    named = str(row["name"] or row["input_filename"]), str(row["input_filename"]), str(row["schedule"] or "")
    schedule_id = _id_of(row)
    known = store.schedules.numbers_by_id().get(schedule_id)
    if known is not None:
        return ImportedDefinition(*named, schedule=known, problem="It was imported before.")
    if not row["schedule"]:
        return ImportedDefinition(*named, problem="It has no schedule.")
    try:
        schedule, data, notes = _schedule(store, row, schedule_id, staged, now)
        if dry_run:
            return ImportedDefinition(*named, notes=notes)
        path = store.root / schedule.notebook
        if not path.exists():
            write_atomically(path, [data])
        made = store.schedules.create(schedule)
    except MLOpsError as error:
        return ImportedDefinition(*named, problem=f"{error.message} {error.hint}".strip())
    return ImportedDefinition(*named, schedule=made.number, notes=notes)


def _id_of(row: Mapping[str, Any]) -> str:
    """The id of its schedule: the same each time."""
    return hashlib.sha256(f"jupyter-scheduler {row['job_definition_id']}".encode()).hexdigest()[:32]


def _schedule(
    store: Store, row: Mapping[str, Any], schedule_id: str, staged: Path, now: datetime
) -> tuple[Schedule, bytes, tuple[str, ...]]:
    """The schedule, the bytes of its notebook, and what is to be known of both."""
    name = Path(str(row["input_filename"])).name
    copy = staged / str(row["job_definition_id"]) / name
    try:
        data = copy.read_bytes()
    except OSError as error:
        raise NotebookError(
            f"Its copy of the notebook cannot be read: {copy}.", "Name the folder of copies: --staged FOLDER"
        ) from error
    path = _place(store, name, data)
    asked = ScheduleRequest(
        cron=str(row["schedule"]),
        zone=str(row["timezone"] or local_timezone()),
        parameters=_parameters(row, parse_notebook(data, str(copy))),
        policy={"overlap": Overlap.QUEUE},
    )
    blank = Schedule(schedule_id, 0, store.relative(path), Timing(timezone=local_timezone()), created_at=now)
    schedule = checked_schedule(store, blank, asked, now=now, data=data)
    if not row["active"]:
        schedule = replace(schedule, paused_at=now)
    return schedule, data, tuple(_notes(row, path, data))


def _place(store: Store, name: str, data: bytes) -> Path:
    """The notebook's file in the project: the one of this name, of several the one with these bytes, else a new one."""
    found = [path for path in sorted(store.root.rglob(name)) if not _is_hidden(store.root, path)]
    if len(found) > 1:
        same = [path for path in found if path.read_bytes() == data]
        if not same:
            raise InputError(
                f"The project has {len(found)} notebooks called '{name}', and none is as its copy.",
                f"Add the schedule by hand: jupyter mlops schedule add {store.relative(found[0])} --cron ...",
            )
        found = same
    return found[0] if found else store.root / name


def _is_hidden(root: Path, path: Path) -> bool:
    parts = path.relative_to(root).parts
    return any(part.startswith(".") for part in parts) or parts[0] == "runs"


def _parameters(row: Mapping[str, Any], notebook: Mapping[str, Any]) -> dict[str, Any]:
    """Its values; a text is read by the type that the notebook declares, as its form has texts only."""
    declared = {parameter.name: parameter for parameter in checked_parameters(cells_of(notebook))}
    found: dict[str, Any] = loads(row["parameters"] or "{}") or {}
    return {
        name: parse_value(declared[name], value) if isinstance(value, str) and name in declared else value
        for name, value in found.items()
    }


def _notes(row: Mapping[str, Any], path: Path, data: bytes) -> Iterator[str]:
    if not row["active"]:
        yield "It is paused, as it was not active."
    if not path.exists():
        yield f"The notebook was copied to {path.name}."
    elif path.read_bytes() != data:
        yield "It runs the copy that jupyter-scheduler had; the project's file differs."
