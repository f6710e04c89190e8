"""What a moved store left behind: kept until told to go."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.json_text import dumps, loads
from jupyter_mlops.store.db.postgresql import PostgresqlIndex
from jupyter_mlops.store.files.atomic import write_atomically
from jupyter_mlops.store.objects.bucket import Bucket
from jupyter_mlops.store.project.folder import INDEX_FILE
from jupyter_mlops.store.project.location import StorePlace, index_url, read_place, shown_index

FILE = "backups.json"


@dataclass(frozen=True)
class StoreBackup:
    """An index (a file's name in the project's folder, or a URL) or objects (a URL), and the project's name there."""

    index: str | None
    objects: str | None
    project: str

    def shown(self) -> str:
        """For people."""
        return f"{self.index or self.objects}" + (f" (project {self.project})" if self.project else "")


def backups(folder: Path) -> list[StoreBackup]:
    """All there are, the oldest first."""
    try:
        found: list[dict[str, Any]] = loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [StoreBackup(**each) for each in found]


def add_backup(folder: Path, place: StorePlace, *, also_index: bool = True) -> None:
    """Note that `place` was left. An index in the folder gets another name.

    Raises `StoreError` where `store.json` cannot be read or this is not to be written.
    """
    kept = backups(folder)
    if also_index:
        kept += [_index_of(folder, place, len(kept))] if place.index or (folder / INDEX_FILE).exists() else []
    now = read_place(folder) or StorePlace()
    if place.objects is not None and (place.objects, place.project) != (now.objects, now.project):
        kept.append(StoreBackup(None, place.objects, place.project))
    write_atomically(folder / FILE, [dumps([vars(each) for each in dict.fromkeys(kept)], indent=1).encode()])


def _index_of(folder: Path, place: StorePlace, number: int) -> StoreBackup:
    if place.index is not None:
        return StoreBackup(shown_index(place.index), None, place.project)
    name = f"{INDEX_FILE}.backup{number + 1}"
    for path in folder.glob(f"{INDEX_FILE}*"):
        if path.name in (INDEX_FILE, f"{INDEX_FILE}-wal", f"{INDEX_FILE}-shm"):
            path.rename(folder / path.name.replace(INDEX_FILE, name))
    return StoreBackup(name, None, "")


def drop_backups(folder: Path) -> list[str]:
    """Delete them all, and say what went. What is in use again is left alone.

    Raises `StoreError` where a server or a bucket cannot be reached; what is gone by then is gone, the rest is still noted.
    """
    gone = []
    now = read_place(folder) or StorePlace()
    for backup in backups(folder):
        if backup.index is not None and backup.index.startswith("postgresql"):
            if now.index is None or (shown_index(now.index), now.project) != (backup.index, backup.project):
                index = PostgresqlIndex(index_url(backup.index), backup.project, also_moved=True)
                with contextlib.closing(index):
                    if index.moved_by() is None:  # someone uses it
                        continue
                    index.drop()
        elif backup.index is not None:
            for path in folder.glob(f"{backup.index}*"):
                path.unlink()
        elif backup.objects is not None and (backup.objects, backup.project) != (now.objects, now.project):
            bucket = Bucket(f"{backup.objects}/{backup.project}")
            for key in bucket.list():
                bucket.remove(key)
        gone.append(backup.shown())
    (folder / FILE).unlink(missing_ok=True)
    return gone
