"""The index in a file of the project: SQLite, its pragmas, its locks, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from jupyter_mlops.errors import FullDiskError, NotWritableError, StoreError
from jupyter_mlops.store.backup import logbook
from jupyter_mlops.store.backup.guard import STATE, Guard, new_id
from jupyter_mlops.store.backup.mark import Mark
from jupyter_mlops.store.backup.rolling import back_up
from jupyter_mlops.store.db import schema
from jupyter_mlops.store.db.index import BUSY_SECONDS, Index, revision_of
from jupyter_mlops.store.db.sqlite_connect import engine_of, reading_engine_of
from jupyter_mlops.store.db.sqlite_errors import explained
from jupyter_mlops.store.files.locks import file_lock
from jupyter_mlops.store.project.folder import PLACE_FILE

_HAS_KEY = f"select 1 from step_runs where key = ? and {schema.NEWEST_FIRST['ix_step_runs_reusable'][1]} limit 1"
"""In the words of the index that serves it: a condition less, and SQLite reads every row."""


class SqliteIndex(Index):
    """Writers take SQLite's write lock at once, so two processes wait for one another in turn.

    What is committed survives the death of any process (WAL, `synchronous=normal`). A power cut may take back the last
    commits, never half of one; a `durable` commit makes itself and all before it proof against that too.
    """

    def __init__(self, path: Path, *, reading: bool = False, guard: Guard | None = None) -> None:
        """With `reading` it can be read also where nothing can be written; then `refusal` says why that is.

        A `guard` refuses a file that is not what the project's index was.
        """
        self.path = path
        self._guard = guard
        self.place = str(path)
        self._mark: tuple[int, ...] | None = None
        self._watching = threading.Lock()
        self._watcher: sqlite3.Connection | None = None
        self.engine = engine_of(path)
        try:
            if guard is not None:
                guard.require_file()
            self._migrate()
        except (NotWritableError, FullDiskError) as error:
            self.close()
            if not reading or not path.is_file():
                raise
            self.refusal = error
            self._open_reading()
        except BaseException:
            self.close()
            raise
        self._mark = self._marked()

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        with self._told_clearly(), self.rows_told(), self.engine.connect() as connection:
            _driver(connection).execute("begin")
            yield connection

    def _open_reading(self) -> None:
        self.engine = reading_engine_of(self.path)
        try:
            with self.read() as connection:
                revision = revision_of(connection)
        except BaseException:
            self.close()
            raise
        if revision == schema.HEAD:
            known = self._known()
            with self.read() as connection:
                self._hold(self._state_of(_driver(connection)), known)
        else:
            self.close()
            assert self.refusal is not None
            lacks = (
                f"has schema {revision}, and must be upgraded to {schema.HEAD}"
                if revision
                else "is empty, and must be made"
            )
            raise NotWritableError(
                f"{self.refusal.message} It {lacks} before it can be read.",
                self.refusal.hint,
            ) from self.refusal

    @contextlib.contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sa.Connection]:
        if self.refusal is not None:
            raise self.refusal
        with (
            self._told_clearly(),
            self.engine.connect() as connection,
            _synchronous(connection, durable),
            connection.begin(),
        ):
            _driver(connection).execute("begin immediate")
            logbook.take(connection)  # of one that was rolled back
            if self._mark is not None and self._marked() != self._mark:
                raise StoreError(
                    f"The store of this project was moved away from '{self.path}'.",
                    "Restart the kernel, or whatever program had it open.",
                )
            yield connection
            noted = logbook.take(connection)
            kept = self._state_of(_driver(connection)) if durable and self._guard is not None else None
        if self._guard is not None:
            was_moved = kept is not None and self._mark is not None and self._marked() != self._mark
            self._guard.keep(None if was_moved else kept, noted)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        with file_lock(self.path.with_name(f"{name}.lock")):
            yield

    def change_token(self) -> str:
        if not self.path.exists():
            return ""
        # The files alone would not do: their times change while a commit is on its way to the disk, before it is seen.
        marks = [str(self._data_version())]
        for path in (self.path, self.path.with_name(self.path.name + "-wal")):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                marks.append(f"{status.st_mtime_ns}:{status.st_size}")
        return "|".join(marks)

    def has_key(self, key: str) -> bool:
        try:
            return self._first(_HAS_KEY, (key,)) is not None
        except (sqlite3.Error, sa.exc.DBAPIError):
            return True  # the real question tells what is wrong

    def integrity(self) -> list[str]:
        with self.read() as connection:
            told = [str(row[0]) for row in connection.exec_driver_sql("pragma integrity_check(20)")]
            found = [] if told == ["ok"] else told
            for row in connection.exec_driver_sql("pragma foreign_key_check"):
                found.append(f"row {row[1]} of {row[0]} refers to a row of {row[2]} that does not exist")
            return found

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.path.parent.glob(f"{self.path.name}*") if path.is_file())

    def checkpoint(self) -> None:
        """Bring all that was committed into the one file."""
        with self._told_clearly(), self.engine.connect() as connection:
            connection.exec_driver_sql("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        with self._watching:
            if self._watcher is not None:
                self._watcher.close()
                self._watcher = None
        super().close()

    def _marked(self) -> tuple[int, ...]:
        """What differs when the store was moved: asked once a writer has its turn, since who moves it has that too."""
        found = []
        for path in (self.path, self.path.with_name(PLACE_FILE)):
            try:
                found.append(os.stat(path).st_ino)
            except FileNotFoundError:
                found.append(0)
        return tuple(found)

    def _data_version(self) -> int | None:
        """SQLite's own count of others' commits, of a connection that never writes; None where it cannot be told."""
        with self._watching, contextlib.suppress(sqlite3.Error):
            if self._watcher is None:
                self._watcher = sqlite3.connect(
                    self.path, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None
                )
            found: int = self._watcher.execute("pragma data_version").fetchone()[0]
            return found
        return None

    def _first(self, query: str, values: tuple[Any, ...] = ()) -> Any:
        """The first row, asked on one of the engine's connections without the engine, which would take the longest."""
        with contextlib.closing(self.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            try:
                return cursor.execute(query, values).fetchone()
            finally:
                cursor.close()

    @contextlib.contextmanager
    def _told_clearly(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise
        except (DatabaseError, sqlite3.DatabaseError) as error:
            if "decode to UTF-8" in str(error):  # the one error of the driver's own that has no code
                self._tell_row(error)
            raise explained(error, self.path) from error

    def _state_of(self, driver: sqlite3.Connection) -> Mark:
        version, identity, posted, runs = driver.execute(STATE).fetchone()
        return Mark(identity, version, posted, runs)

    def _is_current(self) -> bool:
        """Whether the index is there and as it must be: nearly always, and then asked without lock or engine."""
        row, known = None, self._known()
        with contextlib.suppress(sqlite3.Error, sa.exc.DBAPIError):
            row = self._first(STATE) if self.path.exists() else None
        if row is None or row[0] != schema.HEAD:
            return False
        self._hold(Mark(row[1], row[0], row[2], row[3]), known)
        return True

    def _known(self) -> Mark | None:
        return None if self._guard is None else self._guard.known()

    def _hold(self, mark: Mark, known: Mark | None) -> None:
        """Hold what is found against what was known of the index before."""
        if self._guard is None:
            return
        new = self._guard.require_newest(mark, known)
        if new is None or self.refusal is not None:
            return
        if not new.id:
            new = replace(new, id=new_id())
            with self.write() as connection:
                connection.exec_driver_sql(f"pragma application_id = {new.id}")
        self._guard.keep(new, [])

    def _migrate(self) -> None:
        if self._is_current():
            return
        with file_lock(self.path.with_name("index.lock")):
            if self._guard is not None:
                self._guard.require_file(whole=True)
            if self.path.exists():
                with self.read() as connection:
                    revision = revision_of(connection)
                    if revision is None and sa.inspect(connection).get_table_names():
                        raise self._not_ours()
                if revision == schema.HEAD:
                    self._is_current()
                    return
                if revision is not None:
                    if self._guard is not None:
                        back_up(self.path.parent, datetime.now(timezone.utc))  # as it was before
                    with self.write() as connection:
                        self._upgrade(connection, revision)
                    self._is_current()
                    return
                if self._guard is not None:
                    self._guard.require_tables()
            with self.write() as connection:
                self._make(connection)
            self._is_current()
            if os.name == "posix":
                os.chmod(self.path, 0o600)


def _driver(connection: sa.Connection) -> sqlite3.Connection:
    found = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)
    return found


@contextlib.contextmanager
def _synchronous(connection: sa.Connection, durable: bool) -> Iterator[None]:
    """With `durable` the commit within waits until the disk has the log: SQLite writes it in order, so all of it."""
    if not durable:
        yield
        return
    driver = _driver(connection)
    driver.execute("pragma synchronous=full")
    try:
        yield
    finally:
        driver.execute("pragma synchronous=normal")
