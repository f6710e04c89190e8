"""Connections to the index's file: as all of the engine's are, and those that only read where nothing can be written."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.store.db.index import BUSY_SECONDS
from jupyter_mlops.store.db.portable import from_json, to_json
from jupyter_mlops.store.files.held_files import copy_file

WAL = "-wal"


def engine_of(path: Path) -> sa.Engine:
    """An engine on a file: as `create_engine` makes it, but all share what one of them has learned and compiled."""
    return _engine(path, sa.QueuePool, connect)


def reading_engine_of(path: Path) -> sa.Engine:
    """An engine that only reads. Each connection is made anew, since each may see another state of the file."""
    return _engine(path, sa.NullPool, connect_reading)


def _engine(path: Path, pool: type[sa.Pool], connecting: Callable[[Path], sqlite3.Connection]) -> sa.Engine:
    template = _template()
    return sa.Engine(
        pool(partial(connecting, path), dialect=template.dialect),  # type: ignore[arg-type]
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


def connect(path: Path) -> sqlite3.Connection:
    """A connection as all of the engine's are. Where each transaction begins is said by us, and not by an event of the
    engine's, which takes as long as a small query.
    """
    connection = sqlite3.connect(str(path), timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)
    return _set(connection, "journal_mode=wal", "synchronous=normal", "foreign_keys=on")


def _set(connection: sqlite3.Connection, *settings: str) -> sqlite3.Connection:
    try:
        for setting in settings:
            connection.execute(f"pragma {setting}").close()
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reading(path: Path) -> sqlite3.Connection:
    """A connection that sees all that was committed, although neither the file nor its folder can be written.

    Raises the first way's error where none of the ways is open.
    """
    first: Exception | None = None
    for way in (_beside_writers, _without_log, _alone, _copied):
        connection: sqlite3.Connection | None = None
        try:
            connection = way(path)
            if connection is not None:
                connection.execute("select 1 from sqlite_master limit 1").fetchone()
                return connection
        except (sqlite3.Error, OSError) as error:
            first = first or error
            if connection is not None:
                connection.close()
    raise first or sqlite3.OperationalError("unable to open database file")


def _beside_writers(path: Path) -> sqlite3.Connection:
    """Where a process that may write has it open, the files it shares are there for us too."""
    return _open(path, "mode=ro")


def _without_log(path: Path) -> sqlite3.Connection | None:
    """Where no log is left, the one file is all there is, and no one can change it here."""
    return None if _has_log(path) else _open(path, "mode=ro&immutable=1")


def _alone(path: Path) -> sqlite3.Connection | None:
    """On a full disk: what processes share is kept in memory, and others wait until we have read."""
    return _set(_open(path, "mode=rw"), "locking_mode=exclusive", "query_only=on") if _has_log(path) else None


def _copied(path: Path) -> sqlite3.Connection | None:
    """A copy, with its log, in whatever temporary folder takes it; it goes as soon as it is open, or with us."""
    for where in (None, "/dev/shm"):
        with contextlib.suppress(OSError), tempfile.TemporaryDirectory(dir=where, ignore_cleanup_errors=True) as folder:
            copy = Path(folder) / path.name
            for end in ("", WAL):
                with contextlib.suppress(FileNotFoundError):
                    copy_file(Path(f"{path}{end}"), Path(f"{copy}{end}"))
            connection = _open(copy, "mode=rw")
            connection.execute("select 1 from sqlite_master limit 1").fetchone()
            return connection
    return None


def _has_log(path: Path) -> bool:
    try:
        return path.with_name(path.name + WAL).stat().st_size > 0
    except FileNotFoundError:
        return False


def _open(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?{how}",
        uri=True,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
        isolation_level=None,
    )
