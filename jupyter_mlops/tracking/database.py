"""SQLite tracking stores, made so that no one ever sees one half done, and the project's own brought up to date.

MLflow's migrations take seconds, are not atomic, and break where two processes begin them at once. They run here on a
file beside the store, without syncing, which then takes the name; a process killed in between leaves only a file that
the next one removes. An upgrade keeps a copy of what was.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import StoreError
from jupyter_mlops.store.files.locks import file_lock
from jupyter_mlops.store.project.folder import FOLDER
from jupyter_mlops.tracking.relocated import follow_folder
from jupyter_mlops.tracking.uri import artifacts_folder, own_database, sqlite_path, sqlite_uri

log = logging.getLogger(__name__)

MAKING_SECONDS = 60.0
"""How long to wait for another program that is at making the store (on a slow disk that takes 15 s)."""


def ensure_database(root: Path, address: str) -> None:
    """Make the SQLite store at `address` where it is missing; where it is the project's own, upgrade an older one,
    and follow the project's folder where that was renamed.

    Other tracking URIs are none of its business. Raises `StoreError` where the project's store was made by a newer
    MLflow.
    """
    path = sqlite_path(address)
    if path is None:
        return
    own = path == own_database(root)
    if not path.exists() or _revision(path) != _head():
        with file_lock(root / FOLDER / "tracking-store.lock"):
            _bring_to_head(path, root, own=own)
    if own:
        follow_folder(root)


def _bring_to_head(path: Path, root: Path, *, own: bool) -> None:
    if not path.exists():
        _make(path, root, own=own)
    if _revision(path) == _head():
        return
    if own:
        _upgrade(path)
    else:
        _wait_for(path)


def _make(path: Path, root: Path, *, own: bool) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    mark = hashlib.sha256(str(root).encode()).hexdigest()[:8]
    new = path.with_name(f".{path.name}.{mark}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{new.name}*"):
        left.unlink()
    with _quiet(), _unsynced(new):
        store = SqlAlchemyStore(sqlite_uri(new), artifacts_folder(root).as_uri())
        store.engine.dispose()
    if own:
        _write_ahead(new)
        os.chmod(new, 0o600)
    _sync(new)
    with contextlib.suppress(FileExistsError):  # someone else has made it meanwhile: theirs stands
        os.link(new, path)
    new.unlink()


def _wait_for(path: Path) -> None:
    """Wait while another program makes the store; one that stays as it is, is for MLflow to judge."""
    end = time.monotonic() + MAKING_SECONDS
    before = None
    while (found := _revision(path)) != _head() and time.monotonic() < end:
        if found == before and found is not None and time.time() - path.stat().st_mtime > 5:
            return
        before = found
        time.sleep(0.2)


def _upgrade(path: Path) -> None:
    import sqlalchemy as sa
    from mlflow.store.db.utils import _upgrade_db

    revision = _revision(path)
    if revision not in _known_revisions():
        raise StoreError(
            f"The tracking store '{path}' was made by a newer MLflow (schema {revision}).",
            "Upgrade MLflow: `pip install -U mlflow`.",
        )
    aside = path.with_name(f"mlflow-{revision}.db")
    log.info("upgrading '%s' from schema %s; a copy is kept in '%s'", path, revision, aside)
    with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(aside)) as target:
        source.backup(target)
    with _quiet():
        engine = sa.create_engine(sqlite_uri(path))
        _upgrade_db(engine)
        engine.dispose()


def _revision(path: Path) -> str | None:
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
        try:
            row = connection.execute("select version_num from alembic_version").fetchone()
        except sqlite3.OperationalError:
            return None
    return row[0] if row else None


def _head() -> str:
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    script = ScriptDirectory.from_config(_get_alembic_config(db_url=""))
    return {revision.revision for revision in script.walk_revisions()}


@contextlib.contextmanager
def _unsynced(path: Path) -> Iterator[None]:
    """SQLite connections to `path` made meanwhile do not wait for the disk; it is synced once, at the end."""
    import sqlalchemy as sa
    from sqlalchemy.engine import Engine

    def configure(connection: Any, _record: Any) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        file = connection.execute("pragma database_list").fetchone()[2]
        if file and os.path.samefile(file, path):
            connection.execute("pragma synchronous=off")
            connection.execute("pragma journal_mode=memory")

    sa.event.listen(Engine, "connect", configure)
    try:
        yield
    finally:
        sa.event.remove(Engine, "connect", configure)


def _write_ahead(path: Path) -> None:
    """Readers (the MLflow UI) and the writer do not block one another; SQLite remembers it in the file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode=wal")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MLflow tells each migration; in a cell's output that is noise."""
    loggers = [logging.getLogger(name) for name in ("mlflow.store.db.utils", "alembic", "alembic.runtime.migration")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
