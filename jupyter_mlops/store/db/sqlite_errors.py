"""What an error of SQLite means: what was wrong, and a mend that loses nothing. Told by its code, not by its words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from jupyter_mlops.errors import DamagedIndexError, FullDiskError, NotWritableError, StoreError
from jupyter_mlops.store.backup.mark import RECOVER
from jupyter_mlops.store.db.index import BUSY_SECONDS
from jupyter_mlops.store.files.disk import failing_hint, refused, room_hint, trouble_of, trouble_with

# See sqlite.org/rescode.html; the lowest byte of an extended code is the primary one.
ERROR, PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN = 1, 3, 5, 6, 7, 8, 10, 11, 13, 14
PROTOCOL, TOOBIG, AUTH, NOTADB = 15, 18, 23, 26
READONLY_DBMOVED = READONLY | 4 << 8
_WORDS = {
    "access permission denied": PERM,
    "database is locked": BUSY,
    "database table is locked": LOCKED,
    "out of memory": NOMEM,
    "attempt to write a readonly database": READONLY,
    "disk I/O error": IOERR,
    "database disk image is malformed": CORRUPT,
    "database or disk is full": FULL,
    "unable to open database file": CANTOPEN,
    "locking protocol": PROTOCOL,
    "string or blob too big": TOOBIG,
    "authorization denied": AUTH,
    "file is not a database": NOTADB,
}
"""Python 3.10 gives no code, and SQLite has these words for each."""


def code_of(error: BaseException) -> int:
    """SQLite's code, extended where it says more; 0 where there is none."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return int(code)
    return _WORDS.get(str(cause), 0 if not isinstance(cause, sqlite3.DatabaseError) else ERROR)


def explained(error: BaseException, path: Path) -> StoreError:
    """The error for people of what went wrong with the index at `path`."""
    code = code_of(error)
    text = str(getattr(error, "orig", None) or error)
    primary = code & 0xFF
    if primary in (CORRUPT, NOTADB):
        return damaged(path, text)
    if primary in (BUSY, LOCKED):
        return StoreError(
            f"The index '{path}' was busy for {BUSY_SECONDS} s.",
            "Try again; if that fails, find the process that is using it.",
        )
    if primary == FULL:
        return FullDiskError(f"The index '{path}' cannot be written: {text}.", room_hint(path.parent))
    if code == READONLY_DBMOVED:
        return StoreError(
            f"The index '{path}' was moved or replaced while it was open.",
            "Restart what has it open (the kernel, the worker or JupyterLab).",
        )
    if primary in (READONLY, CANTOPEN, PERM, AUTH, IOERR):
        return _of_the_disk(path, primary, text)
    if primary == NOMEM:
        return StoreError(f"Memory ran out while using the index '{path}'.", "Close some programs, then try again.")
    if primary == TOOBIG:
        return StoreError(
            f"A value is too large for the index '{path}': {text}.", "Store it in a file, and pass its path."
        )
    if primary == PROTOCOL:
        return StoreError(
            f"The index '{path}' cannot be locked: {text}.",
            "The disk may not support locks, like some network drives: keep `.mlops` on another disk, or see docs/stores.md.",
        )
    return StoreError(
        f"The index '{path}' failed: {text}.",
        "Nothing was changed. `jupyter mlops store verify` shows whether it is intact.",
    )


def damaged(path: Path, text: str) -> DamagedIndexError:
    """The error of an index that cannot be read as it is."""
    return DamagedIndexError(
        f"The index '{path}' is damaged: {text}.",
        f"`{RECOVER}` restores what can be restored, and keeps the damaged file. Do not delete it.",
    )


def _of_the_disk(path: Path, primary: int, text: str) -> StoreError:
    """SQLite says that the system refused, and not why: so the system is asked."""
    folder = path.parent
    what = f"The index '{path}' cannot be {'opened' if primary == CANTOPEN else 'written'}"
    if not folder.is_dir():
        gone = f"{what}: the folder '{folder}' does not exist."
        return StoreError(gone, "Restore it (or mount its disk), then try again.")
    files = [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]
    trouble = next(filter(None, map(trouble_with, files)), None) or trouble_of(folder)
    if trouble is not None:
        return refused(trouble, what, folder)
    if primary == IOERR:
        return StoreError(f"{what}: {text}.", failing_hint(folder))
    return NotWritableError(f"{what}: {text}.", f"Give yourself write permission on '{folder}' and the files in it.")
