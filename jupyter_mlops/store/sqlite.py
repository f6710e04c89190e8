"""The index in a file of the project: SQLite, its pragmas, its locks, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError

from jupyter_mlops.errors import NotWritableError, StoreError
from jupyter_mlops.store import schema
from jupyter_mlops.store.index import BUSY_SECONDS, Index, revision_of
from jupyter_mlops.store.locks import file_lock
from jupyter_mlops.store.portable import from_json, to_json
from jupyter_mlops.store.project import PLACE_FILE


class SqliteIndex(Index):
    """Writers take SQLite's write lock at once, so two processes wait for one another in turn.

    What is committed survives the death of any process (WAL, `synchronous=normal`). A power cut may take back the last
    commits, never half of one; a `durable` commit makes itself and all before it proof against that too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path)
        self._mark: tuple[int, ...] | None = None
        self._watching = threading.Lock()
        self._watcher: sqlite3.Connection | None = None
        self.engine = _engine(path)
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise
        self._mark = self._marked()

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        with self._told_clearly(), self.engine.connect() as connection:
            _driver(connection).execute("begin")
            yield connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sa.Connection]:
        with (
            self._told_clearly(),
            self.engine.connect() as connection,
            _synchronous(connection, durable),
            connection.begin(),
        ):
            _driver(connection).execute("begin immediate")
            if self._mark is not None and self._marked() != self._mark:
                raise StoreError(
                    f"The store of this project was moved away from '{self.path}'.",
                    "Open it again: restart the kernel, or whatever had it open.",
                )
            yield connection

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
            return self._first("select 1 from step_runs where key = ? limit 1", (key,)) is not None
        except (sqlite3.Error, sa.exc.DBAPIError):
            return True  # the real question tells what is wrong

    def integrity(self) -> list[str]:
        with self.read() as connection:
            told = [str(row[0]) for row in connection.exec_driver_sql("pragma integrity_check(20)")]
            found = [] if told == ["ok"] else told
            for row in connection.exec_driver_sql("pragma foreign_key_check"):
                found.append(f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there")
            return found

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.path.parent.glob(f"{self.path.name}*") if path.is_file())

    def settle(self) -> None:
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
        except (OperationalError, sqlite3.OperationalError) as error:
            text = str(getattr(error, "orig", error))
            if "readonly" in text or "unable to open" in text:
                raise NotWritableError(
                    f"The index '{self.path}' cannot be written: {text}.",
                    f"Give yourself write permission on '{self.path.parent}'.",
                ) from error
            if "locked" in text:
                raise StoreError(
                    f"The index '{self.path}' was busy for {BUSY_SECONDS} s.", "Try again; see which process holds it."
                ) from error
            raise StoreError(f"The index '{self.path}' failed: {text}.", self._aside()) from error
        except (DatabaseError, sqlite3.DatabaseError) as error:
            if isinstance(error, (sa.exc.IntegrityError, sa.exc.ProgrammingError)):
                raise
            text = str(getattr(error, "orig", error))
            raise StoreError(f"The index '{self.path}' is corrupt: {text}.", self._aside()) from error

    def _is_current(self) -> bool:
        """Whether the index is there and as it must be: nearly always, and then asked without lock or engine."""
        with contextlib.suppress(sqlite3.Error, sa.exc.DBAPIError):
            return self.path.exists() and self._first("select version_num from alembic_version") == (schema.HEAD,)
        return False

    def _migrate(self) -> None:
        if self._is_current():
            return
        with file_lock(self.path.with_name("index.lock")):
            if self.path.exists():
                with self.read() as connection:
                    found = revision_of(connection)
                    if found == schema.HEAD:
                        return
                    if found is None and sa.inspect(connection).get_table_names():
                        raise self._not_ours()
                if found is not None:
                    with self.write() as connection:
                        self._upgrade(connection, found)
                    return
            with self.write() as connection:
                self._make(connection)
            if os.name == "posix":
                os.chmod(self.path, 0o600)


def _engine(path: Path) -> sa.Engine:
    """An engine on a file: as `create_engine` makes it, but all share what one of them has learned and compiled."""
    template = _template()
    return sa.Engine(
        sa.QueuePool(partial(_connect, path), dialect=template.dialect),  # type: ignore[arg-type]
        template.dialect,
        sa.URL.create("sqlite", database=str(path)),
        execution_options={"compiled_cache": _COMPILED},
    )


@lru_cache(maxsize=1)
def _template() -> sa.Engine:
    engine = sa.create_engine("sqlite://", json_serializer=to_json, json_deserializer=from_json)
    with engine.connect():
        pass  # the dialect asks what it has to know
    engine.dispose()
    return engine


_COMPILED: Any = sa.util.LRUCache(500)
"""Statements in SQLite's words."""


def _connect(path: Path) -> sqlite3.Connection:
    """A connection as all of the engine's are. Where each transaction begins is said by us, and not by an event of the
    engine's, which takes as long as a small query.
    """
    connection = sqlite3.connect(str(path), timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)
    try:
        for setting in ("journal_mode=wal", "synchronous=normal", "foreign_keys=on"):
            connection.execute(f"pragma {setting}").close()
    except BaseException:
        connection.close()
        raise
    return connection


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
