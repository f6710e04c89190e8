"""Makes the index of a project again: from what there is of it, its newest sound backup, and all else that tells of runs.

It is made beside the old one, proven, and then put in its place. The old one is kept under another name; nothing is deleted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from jupyter_mlops.domain.storage import Recovery
from jupyter_mlops.errors import InputError, MLOpsError, StoreError, UnknownNameError
from jupyter_mlops.operations.store.retelling import RetoldRuns, retell
from jupyter_mlops.operations.store.soundness import faults_of
from jupyter_mlops.store.backup import logbook
from jupyter_mlops.store.backup.guard import STATE, Guard, new_id
from jupyter_mlops.store.backup.mark import Mark, read_mark, write_mark
from jupyter_mlops.store.backup.rolling import IndexBackup, back_up, backups_of, pages_since, unsound
from jupyter_mlops.store.db.sqlite import SqliteIndex
from jupyter_mlops.store.db.wal import restore
from jupyter_mlops.store.files.disk import refused
from jupyter_mlops.store.files.held_files import copy_file
from jupyter_mlops.store.files.journals import Journals
from jupyter_mlops.store.files.locks import file_lock, try_file_lock
from jupyter_mlops.store.project.folder import FOLDER, INDEX_FILE, find_project
from jupyter_mlops.store.project.location import current_place
from jupyter_mlops.store.transfer.salvage import Salvage

_LOG = ("", "-wal")


@dataclass(frozen=True)
class _Source:
    """A copy of an index that may be built upon; `backup` where it is one."""

    path: Path
    mark: Mark
    backup: IndexBackup | None

    @property
    def shown(self) -> str:
        """For people."""
        if self.path.name == "log.db":
            return "the index's log, which contains all of it"
        return "the index as it is" if self.backup is None else f"the backup of {self.backup.at:%Y-%m-%d %H:%M:%S} UTC"


def recover_store(start: Path, *, now: datetime) -> Recovery:
    """Make the index of the project at `start` again. Raises `InputError` where it is sound, and `StoreError` where that
    cannot be done; then everything is as it was.
    """
    root = find_project(start)
    if root is None:
        raise UnknownNameError(
            f"There is no project at or above '{start}'.", "Change to a project's folder, then try again."
        )
    folder = root / FOLDER
    if current_place(folder).index is not None:
        raise InputError("The index of this project is in PostgreSQL.", "Restore it from the server's own backups.")
    with try_file_lock(folder / "move.lock") as is_ours:
        if not is_ours:
            raise StoreError(
                "Another process is moving or recovering the store.", "Wait until it has finished, then try again."
            )
        _require_need(folder)
        with _staging(folder, now) as staging, file_lock(folder / "index.lock"):
            return _recover(folder, staging, now)


def _require_need(folder: Path) -> None:
    """Raise `InputError` where the index is sound, and what was wrong where that is nothing that could be mended here."""
    path = folder / INDEX_FILE
    try:
        with contextlib.closing(SqliteIndex(path, guard=Guard(path))) as index:
            if not any(faults_of(index, Journals(folder / "journals"))):
                raise InputError(
                    "The index is intact: there is nothing to recover.", "See `jupyter mlops store status`."
                )
    except InputError:
        raise
    except StoreError as error:
        if error.code not in ("damaged_index", "store"):
            raise


@contextlib.contextmanager
def _staging(folder: Path, now: datetime) -> Iterator[Path]:
    staging = folder / f"recovering-{now:%Y%m%dT%H%M%S}-{os.getpid()}"
    try:
        staging.mkdir(mode=0o700)
        yield staging
    except OSError as error:
        raise refused(error, "The index was not recovered", folder) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _recover(folder: Path, staging: Path, now: datetime) -> Recovery:
    known = read_mark(folder)
    there = _copied(folder, staging)
    base = _best(folder, staging, there, known)
    made = staging / "made.db"
    if base is not None:
        shutil.copyfile(base.path, made)
    with contextlib.closing(SqliteIndex(made)) as index:  # brought up to date, or made
        with index.write(durable=True) as connection:
            salvage, told = _fill(folder, connection, base, there, known, now)
        wrong = index.integrity() + [str(row) for row in index.unreadable()]
        if wrong:
            text = f"The recovered index is not intact: {wrong[0]}."
            raise StoreError(
                text,
                "Nothing was changed. Keep the folder, and please report this with what `jupyter mlops store verify` says.",
            )
        state = _finish(index, known)
        index.checkpoint()
    aside = _replace(folder, made, there, now)
    write_mark(folder, state)
    back_up(folder, now)
    return Recovery(
        base="scratch" if base is None else base.shown,
        aside=aside,
        runs=state.runs,
        came=tuple(told.came),
        missing=tuple(told.missing),
        notes=tuple(_notes(salvage)),
    )


def _copied(folder: Path, staging: Path) -> Path | None:
    """The index as it is with its log, byte for byte, so that nothing that is tried changes it; None where there is none."""
    for end in _LOG:
        with contextlib.suppress(FileNotFoundError):
            copy_file(folder / f"{INDEX_FILE}{end}", staging / f"there.db{end}")
    return staging / "there.db" if any((staging / f"there.db{end}").exists() for end in _LOG) else None


def _best(folder: Path, staging: Path, there: Path | None, known: Mark | None) -> _Source | None:
    """What is sound and holds most."""
    sources = []
    if there is not None and there.exists() and there.stat().st_size:
        tried = staging / "tried.db"
        for end in _LOG:
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{there}{end}", f"{tried}{end}")
        sources.append(_Source(tried, Mark(0), None))
    if there is not None and restore(Path(f"{there}-wal"), staging / "log.db"):
        sources.append(_Source(staging / "log.db", Mark(0), None))
    for number, backup in enumerate(backups_of(folder)):
        copy = staging / f"backup{number}.db"
        shutil.copyfile(backup.path, copy)
        sources.append(_Source(copy, Mark(0), backup))
    sound = [replace(source, mark=mark) for source in sources if (mark := _state(source.path)) is not None]
    own = [source for source in sound if _is_own(source.mark.id, known)]
    return max(own, key=lambda source: source.mark.posted, default=None)


def _is_own(identity: int | str | None, known: Mark | None) -> bool:
    """Whether an index is this project's, as far as that is known."""
    return known is None or bool(known.place) or identity in (known.id, 0)


def _state(path: Path) -> Mark | None:
    """What a copy holds; None where it is not sound."""
    with contextlib.suppress(sqlite3.Error, MLOpsError), contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode=delete").close()  # its log becomes part of it
        if unsound(connection):
            return None
        version, identity, posted, runs = connection.execute(STATE).fetchone()
        rows = connection.execute("pragma integrity_check(1)").fetchone()[0]
        return Mark(identity, version, posted, runs) if rows == "ok" else None
    return None


def _fill(
    folder: Path, connection: sa.Connection, base: _Source | None, there: Path | None, known: Mark | None, now: datetime
) -> tuple[Salvage, RetoldRuns]:
    """Bring into an index what came after its base."""
    salvage = Salvage(connection)
    told = RetoldRuns(folder, connection, now)
    told.mend_rows(salvage, backups_of(folder))
    if there is not None and (base is None or base.backup is not None):
        with _opened(there, known) as source:
            if source is not None:
                salvage.bring(source)
    salvage.replay(logbook.read(*pages_since(folder, base.backup if base is not None else None)))
    told.count(salvage)
    retell(told, known)
    told.drop_orphans()
    built_on_backup = base is not None and base.backup is not None and not salvage.came["step_runs"]
    told.tell_steps(base.backup.at if built_on_backup and base is not None and base.backup is not None else None)
    return salvage, told


@contextlib.contextmanager
def _opened(path: Path, known: Mark | None) -> Iterator[sa.Connection | None]:
    """What is left of an index, as this version has it; None where that is nothing, or it is another project's."""
    index: SqliteIndex | None = None
    with contextlib.suppress(MLOpsError, sa.exc.SQLAlchemyError, OSError):
        if path.exists() and path.stat().st_size:
            index = SqliteIndex(path)
    if index is None:
        yield None
        return
    with contextlib.closing(index), index.engine.connect() as connection:
        identity = connection.exec_driver_sql("pragma application_id").scalar()
        yield connection if _is_own(identity, known) else None


def _finish(index: SqliteIndex, known: Mark | None) -> Mark:
    """Let it go on after all that is known: with its own id, and with its count of messages."""
    with index.write(durable=True) as connection:
        identity, posted = connection.exec_driver_sql(STATE).one()[1:3]
        identity = int(known.id) if known is not None and not known.place else identity or new_id()
        connection.exec_driver_sql(f"pragma application_id = {identity or new_id()}")
        posted = max(posted, known.posted if known is not None else 0) + 1
        updated = connection.exec_driver_sql("update sqlite_sequence set seq = ? where name = 'outbox'", (posted,))
        if not updated.rowcount:
            connection.exec_driver_sql("insert into sqlite_sequence (name, seq) values ('outbox', ?)", (posted,))
    with index.read() as connection:
        version, identity, posted, runs = connection.exec_driver_sql(STATE).one()
        return Mark(identity, version, posted, runs)


def _replace(folder: Path, made: Path, there: Path | None, now: datetime) -> Path | None:
    """Keep the old index under another name, then put the new one in its place. Says where the old one is."""
    index = folder / INDEX_FILE
    aside = None
    if there is not None:
        aside = folder / f"{INDEX_FILE}.damaged-{now:%Y%m%dT%H%M%S}"
        for end in _LOG:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(f"{there}{end}", 0o600)
                os.replace(f"{there}{end}", f"{aside}{end}")
    for end in ("-wal", "-shm"):  # of the old one: its log would be read into the new one
        index.with_name(f"{index.name}{end}").unlink(missing_ok=True)
    os.replace(made, index)
    os.chmod(index, 0o600)
    return aside


def _notes(salvage: Salvage) -> Iterator[str]:
    for before, after in salvage.renumbered:
        yield f"Run {before} is now run {after}: another run has its number."
    for row in salvage.unreadable:
        yield f"{row}. It was not recovered."
