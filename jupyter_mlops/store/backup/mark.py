"""What is known of a project's index outside of it, so that one that is lost, or an older copy, is not taken for a new one.

`.mlops/index.json` is written after each commit that is proof against a power cut, so it never says more than the index
holds. Whoever deletes `.mlops/` deletes it too, and begins anew.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.json_text import dumps, loads
from jupyter_mlops.errors import DamagedIndexError
from jupyter_mlops.store.files.held_files import read_start
from jupyter_mlops.store.project.folder import INDEX_FILE

RECOVER = "jupyter mlops store recover"
FILE = "index.json"
BACKUPS = "backups"
_BLOCK = 512
"""Bytes that a disk writes all or none of."""
_MAGIC = b"SQLite format 3\0"
_PAGE_SIZE, _PAGES = slice(16, 18), slice(28, 32)
"""Where the header of a database says how large it is (sqlite.org/fileformat.html)."""


@dataclass(frozen=True)
class Mark:
    """What an index holds, in a few numbers."""

    id: int | str
    """Its own: the application id of a file, or the id of one in PostgreSQL."""
    schema: str = ""
    posted: int = 0
    """How many messages were posted in it: grows with each change of a run and is never taken back."""
    runs: int = 0
    """The highest number of a run."""
    place: str = ""
    """Where it is; "" in the project's folder."""


def read_mark(folder: Path) -> Mark | None:
    """What is known of the index of a project; None where that is nothing."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        with open(folder / FILE, "rb") as file:
            told: dict[str, Any] = loads(file.read())
        return Mark(**{name: told[name] for name in Mark.__dataclass_fields__})
    return None


def write_mark(folder: Path, mark: Mark) -> None:
    """Keep it, as far as the disk lets us: it is no loss where it stays behind, and need not survive a power cut.

    It is written in place, by one call and within one block of the disk, which is as good as a rename for so little, takes
    a tenth of the time, and no room on a disk that is full.
    """
    text = (dumps(vars(mark)) + "\n").encode()
    text = text.rjust(-(-len(text) // _BLOCK) * _BLOCK)
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            os.write(descriptor, text)
            if os.fstat(descriptor).st_size != len(text):
                os.ftruncate(descriptor, len(text))
        finally:
            os.close(descriptor)


def forget_mark(folder: Path) -> None:
    """Let the index be known anew at its next opening: it goes elsewhere, and that is meant."""
    (folder / FILE).unlink(missing_ok=True)


def traces(folder: Path) -> Iterator[str]:
    """What says that a project had an index, whether it has one or not."""
    if (folder / FILE).exists():
        mark = read_mark(folder)
        yield f"run {mark.runs} was recorded last" if mark is not None and mark.runs else f"'{FILE}' mentions one"
    for name, what in ((BACKUPS, "there are backups of it"), ("journals", "there are journals of runs")):
        if _holds(folder / name, ""):
            yield what
    if _holds(folder / "objects", "??"):
        yield "there are stored objects"
    with contextlib.suppress(OSError):
        if (folder / f"{INDEX_FILE}-wal").stat().st_size:
            yield "its log exists"


def _holds(folder: Path, kind: str) -> bool:
    """Whether a folder holds anything; with `kind`, any folder with a name of so many characters that is not empty."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return any(not kind or (len(entry.name) == len(kind) and _holds(Path(entry.path), "")) for entry in entries)
    return False


def lost(folder: Path, what: str) -> DamagedIndexError:
    """The error of an index that is not what it was: `what` it is, and what can be done."""
    trace = next(traces(folder), "")
    mark = read_mark(folder)
    if mark is not None and mark.place:
        return DamagedIndexError(
            f"The index of this project is in {mark.place}, and '{folder / 'store.json'}', which said so, is missing.",
            "Set its location again: with the variable MLOPS_STORE, or as docs/stores.md says.",
        )
    backups = sorted((folder / BACKUPS).glob("index-*.db")) if (folder / BACKUPS).is_dir() else []
    brings = (
        f"the backup '{backups[-1].name}' and later runs" if backups else "what the folder still shows about its runs"
    )
    return DamagedIndexError(
        f"The index '{folder / INDEX_FILE}' {what}{f' ({trace})' if trace else ''}.",
        f"`{RECOVER}` restores {brings}. Nothing is removed until then. To start over, delete '{folder}'.",
    )


def missing_bytes(path: Path) -> str:
    """What is wrong with the size of an index's file; "" where nothing is. A log that is to be added yet may mend it."""
    return _cut(path) and _cut(path)  # a writer may have brought its log over between two looks


def _cut(path: Path) -> str:
    try:
        head, size = read_start(path, 100), path.stat().st_size
    except OSError:
        return ""
    with contextlib.suppress(OSError):
        if path.with_name(f"{path.name}-wal").stat().st_size:
            return ""
    if not head.startswith(_MAGIC):
        return ""  # no database, which SQLite says better
    page = int.from_bytes(head[_PAGE_SIZE], "big")
    whole = int.from_bytes(head[_PAGES], "big") * (65536 if page == 1 else page)
    return f"is truncated: {size:,} of {whole:,} bytes exist" if len(head) == 100 and size < whole else ""
