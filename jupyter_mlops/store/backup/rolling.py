"""A few copies of the index, made behind the work by SQLite's own means: what is brought back where the index is lost."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from jupyter_mlops.store.backup import logbook
from jupyter_mlops.store.backup.mark import BACKUPS
from jupyter_mlops.store.files.locks import try_file_lock
from jupyter_mlops.store.objects.local import SPARE
from jupyter_mlops.store.project.folder import INDEX_FILE

EVERY = timedelta(minutes=10)
"""At most so often, and the less often the larger the index is."""
USUAL_SIZE = 100_000_000
"""Bytes; one that is ten times as large is copied a tenth as often."""
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
LARGEST_KEPT = 1_000_000_000
"""Bytes of the two newest, from which on no others are kept."""
_STAMP = "%Y%m%dT%H%M%S%f"
_NAME = re.compile(r"index-(\d{8}T\d{12})Z\.db")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class IndexBackup:
    """A copy of the index as it was at a time."""

    path: Path
    at: datetime

    @property
    def page(self) -> Path:
        """The logbook's lines until then."""
        return self.path.with_name(self.path.name.replace("index-", "logbook-").replace(".db", ".jsonl"))


def backups_of(folder: Path) -> list[IndexBackup]:
    """All of a project, the newest first."""
    found = []
    for path in (folder / BACKUPS).glob("index-*.db"):
        name = _NAME.fullmatch(path.name)
        if name is not None:
            found.append(IndexBackup(path, datetime.strptime(name[1], _STAMP).replace(tzinfo=timezone.utc)))
    return sorted(found, key=lambda backup: backup.at, reverse=True)


def pages_since(folder: Path, backup: IndexBackup | None) -> Iterator[Path]:
    """The logbook's lines of what came after a backup (of all, where there is none), the oldest first."""
    for page in sorted((folder / BACKUPS).glob("logbook-*.jsonl")):
        if backup is None or page.name > backup.page.name:
            yield page
    yield folder / logbook.FILE


def is_due(folder: Path, now: datetime) -> bool:
    """Whether a copy is to be made now: the last is old enough, and the index has changed since."""
    index = folder / INDEX_FILE
    try:
        size, changed = index.stat().st_size, _changed(index)
    except OSError:
        return False
    newest = next(iter(backups_of(folder)), None)
    if newest is None:
        return True
    wait = EVERY * max(1.0, size / USUAL_SIZE)
    return (now - newest.at > wait or now < newest.at) and changed > newest.at.timestamp()


def back_up(folder: Path, now: datetime) -> IndexBackup | None:
    """Make a copy of the index, prove it, and let go of those that are too many. None where another process is at it, the
    disk has no room, or what was copied is not sound: then the older ones stay.
    """
    with try_file_lock(folder / "backup.lock") as is_ours:
        if not is_ours or not _has_room(folder):
            return None
        made = IndexBackup(folder / BACKUPS / f"index-{now.astimezone(timezone.utc).strftime(_STAMP)}Z.db", now)
        temporary = made.path.with_name(f".{made.path.name}.tmp")
        try:
            made.path.parent.mkdir(mode=0o700, exist_ok=True)
            logbook.turn_page(folder, made.page)
            _copy(folder / INDEX_FILE, temporary)
            os.replace(temporary, made.path)
        except (sqlite3.Error, OSError) as error:
            logger.warning("The index of '%s' was not backed up: %s", folder, error)
            return None
        finally:
            for path in made.path.parent.glob(f"{temporary.name}*"):
                path.unlink()
        _let_go(folder, now)
        return made


def _copy(index: Path, target: Path) -> None:
    """A sound copy, as of one moment, that is on the disk. Raises `sqlite3.Error`."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.close(descriptor)
    with (
        contextlib.closing(sqlite3.connect(f"{index.resolve().as_uri()}?mode=rw", uri=True, timeout=5)) as source,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
        copy.execute("pragma journal_mode=delete")
        problem = unsound(copy)
    if problem:
        raise sqlite3.DatabaseError(problem)
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unsound(connection: sqlite3.Connection) -> str:
    """What is wrong with a database; "" where nothing is."""
    found = connection.execute("pragma quick_check(1)").fetchone()[0]
    return "" if found == "ok" else str(found)


def _let_go(folder: Path, now: datetime) -> None:
    """Keep the two newest, and of the last hour, of the last day and of before one each, if they are not too large."""
    copies = backups_of(folder)
    kept = copies[:2]
    if sum(backup.path.stat().st_size for backup in kept) < LARGEST_KEPT:
        ages = [now - backup.at for backup in copies]
        hour = [backup for backup, age in zip(copies, ages, strict=True) if age < _HOUR]
        day = [backup for backup, age in zip(copies, ages, strict=True) if _HOUR <= age < _DAY]
        before = [backup for backup, age in zip(copies, ages, strict=True) if age >= _DAY]
        kept += [*hour[-1:], *day[-1:], *before[:1]]  # the oldest of an age is the first to reach the next
    for backup in copies:
        if backup not in kept:
            backup.path.unlink(missing_ok=True)
    oldest = min(kept, key=lambda backup: backup.at)
    for page in (folder / BACKUPS).glob("logbook-*.jsonl"):
        if page.name <= oldest.page.name:
            page.unlink(missing_ok=True)


def _changed(index: Path) -> float:
    times = [index.stat().st_mtime]
    with contextlib.suppress(OSError):
        times.append(index.with_name(f"{index.name}-wal").stat().st_mtime)
    return max(times)


def _has_room(folder: Path) -> bool:
    try:
        size = sum(path.stat().st_size for path in folder.glob(f"{INDEX_FILE}*") if path.is_file())
        return shutil.disk_usage(folder).free > 2 * size + SPARE
    except OSError:
        return False
