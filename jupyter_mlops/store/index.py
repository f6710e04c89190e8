"""The index: one SQLAlchemy engine per project, its pragmas, short transactions and migrations."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError

from jupyter_mlops.errors import IndexVersionError, NotWritableError, StoreError
from jupyter_mlops.store import schema
from jupyter_mlops.store.locks import file_lock

BUSY_SECONDS = 30
_TO_JSON = json.JSONEncoder().encode
_FROM_JSON = json.JSONDecoder().decode
"""Taken at import: a notebook may put something else in place of `json.dumps` and `json.loads`."""
MIGRATIONS = Path(__file__).parent / "migrations"


class Index:
    """Reads and writes rows. Writers take SQLite's write lock at once, so two processes wait for one another in turn.

    What is committed survives the death of any process (WAL, `synchronous=normal`). A power cut may take back the last
    commits, never half of one; a `durable` commit makes itself and all before it proof against that too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._watching = threading.Lock()
        self._watcher: sqlite3.Connection | None = None
        self.engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            connect_args={"timeout": BUSY_SECONDS},
            json_serializer=_TO_JSON,
            json_deserializer=_FROM_JSON,
        )
        sa.event.listen(self.engine, "connect", _configure)
        sa.event.listen(self.engine, "begin", _begin)
        try:
            self._migrate()
        except BaseException:
            self.engine.dispose()
            raise

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent view; blocks no one."""
        with self._told_clearly(), self.engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sa.Connection]:
        """One short transaction; all of it or nothing."""
        with self._told_clearly(), self.engine.connect() as connection, _synchronous(connection, durable):
            connection.execution_options(write=True)
            with connection.begin():
                yield connection

    def change_token(self) -> str:
        """A text that differs after every commit of any process: cheap enough to ask twice a second."""
        if not self.path.exists():
            return ""
        # The files alone would not do: their times change while a commit is on its way to the disk, before it is seen.
        marks = [str(self._data_version())]
        for path in (self.path, self.path.with_name(self.path.name + "-wal")):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                marks.append(f"{status.st_mtime_ns}:{status.st_size}")
        return "|".join(marks)

    def _data_version(self) -> int | None:
        """SQLite's own count of others' commits, of a connection that never writes; None where it cannot be told."""
        with self._watching, contextlib.suppress(sqlite3.Error):
            if self._watcher is None:
                self._watcher = sqlite3.connect(self.path, timeout=BUSY_SECONDS, check_same_thread=False)
            found: int = self._watcher.execute("pragma data_version").fetchone()[0]
            return found
        return None

    def close(self) -> None:
        """Give the connections back."""
        with self._watching:
            if self._watcher is not None:
                self._watcher.close()
                self._watcher = None
        self.engine.dispose()

    @contextlib.contextmanager
    def _told_clearly(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            text = str(error.orig)
            if "readonly" in text or "unable to open" in text:
                raise NotWritableError(
                    f"The index '{self.path}' cannot be written: {text}.",
                    f"Give yourself write permission on '{self.path.parent}'.",
                ) from error
            if "locked" in text:
                raise StoreError(
                    f"The index '{self.path}' was busy for {BUSY_SECONDS} s.", "Try again; see which process holds it."
                ) from error
            raise StoreError(f"The index '{self.path}' failed: {text}.", _ASIDE.format(self.path)) from error
        except DatabaseError as error:
            if isinstance(error, (sa.exc.IntegrityError, sa.exc.ProgrammingError)):
                raise
            raise StoreError(f"The index '{self.path}' is corrupt: {error.orig}.", _ASIDE.format(self.path)) from error

    def _migrate(self) -> None:
        with file_lock(self.path.with_name("index.lock")):
            if not self.path.exists():
                self._make()
                return
            found = self._revision()
            if found == schema.HEAD:
                return
            if found is None:
                with self.read() as connection:
                    if sa.inspect(connection).get_table_names():
                        raise StoreError(
                            f"'{self.path}' is a database, but not an index of jupyter-mlops.", _ASIDE.format(self.path)
                        )
                self._make()
                return
            self._upgrade(found)

    def _make(self) -> None:
        """All tables at once: what the revisions would make, without Alembic's import."""
        with self.write() as connection:
            schema.metadata.create_all(connection)
            connection.exec_driver_sql("create table alembic_version (version_num varchar(32) not null primary key)")
            connection.exec_driver_sql(f"insert into alembic_version values ('{schema.HEAD}')")
        if os.name == "posix":
            os.chmod(self.path, 0o600)

    def _revision(self) -> str | None:
        with self.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.exec_driver_sql("select version_num from alembic_version").scalar()

    def _upgrade(self, found: str) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        if found not in {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}:
            raise IndexVersionError(
                f"The index '{self.path}' has schema {found}, which this version does not know.",
                "It was made by a newer jupyter-mlops: upgrade with `pip install -U jupyter-mlops`.",
            )
        with self.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


_ASIDE = "Move '{0}' aside (your objects stay); a new index is made on next use."


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("pragma journal_mode=wal")
    cursor.execute("pragma synchronous=normal")
    cursor.execute("pragma foreign_keys=on")
    cursor.close()


@contextlib.contextmanager
def _synchronous(connection: sa.Connection, durable: bool) -> Iterator[None]:
    """With `durable` the commit within waits until the disk has the log: SQLite writes it in order, so all of it."""
    if not durable:
        yield
        return
    pragma = connection.connection.driver_connection
    assert pragma is not None
    pragma.execute("pragma synchronous=full")
    try:
        yield
    finally:
        pragma.execute("pragma synchronous=normal")


def _begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("begin immediate" if write else "begin")
