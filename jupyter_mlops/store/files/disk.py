"""What an error of the operating system means when something was to be written: by its number, never by its words."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from pathlib import Path

from jupyter_mlops.errors import FullDiskError, NotWritableError, StoreError

FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_GONE = frozenset({errno.ENOENT, errno.ESTALE} if hasattr(errno, "ESTALE") else {errno.ENOENT})
_NO_FOLDER = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST})
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})
_NUMBER = re.compile(r"\[Errno (\d+)\]")
_PROBE = 64 << 10
"""Bytes: more than SQLite sets aside for the index of its log."""


def refused(error: OSError, what: str, folder: Path | str) -> StoreError:
    """The error for `what` ("'x' cannot be written") that was tried in `folder`, with a mend that loses nothing."""
    message = f"{what}: {error.strerror or error}."
    number = error.errno
    if number is None and (match := _NUMBER.search(str(error))):  # several in one, as of shutil
        number = int(match[1])
    if number in FULL:
        return FullDiskError(message, room_hint(folder))
    if number in _FORBIDDEN:
        return NotWritableError(message, f"Give yourself write permission on '{folder}'.")
    if number in _NO_FOLDER:
        return NotWritableError(
            message, f"Something else is in the way below '{folder}': move it, or use another place."
        )
    if number in _GONE and os.path.isdir(folder):
        return NotWritableError(message, f"Nothing can be created in '{folder}': use another place.")
    if number in _GONE:
        return StoreError(
            message, f"The folder '{folder}' does not exist: restore it (or mount its disk), then try again."
        )
    if number in _TOO_MANY:
        return StoreError(message, "Too many files are open: close some programs, or raise the limit (`ulimit -n`).")
    if number == errno.EIO:
        return StoreError(message, failing_hint(folder))
    return StoreError(
        message, f"Nothing that was stored before is lost. Fix the problem with '{folder}', then try again."
    )


def room_hint(folder: Path | str) -> str:
    """What to do where a disk is full."""
    return (
        f"Free some disk space for '{folder}', then try again. "
        "What is stored is intact: do not move or delete any part of it."
    )


def failing_hint(folder: Path | str) -> str:
    """What to do where a disk fails."""
    return (
        f"The disk of '{folder}' is failing: see the system's log (`dmesg`). Copy the folder to another"
        " disk, then `jupyter mlops store verify` there shows what is intact."
    )


def trouble_of(folder: Path) -> OSError | None:
    """What keeps one from writing into a folder now, found by writing into it; None where nothing does."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            left = memoryview(bytes(_PROBE))
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None


def trouble_with(path: Path) -> OSError | None:
    """What keeps one from writing to a file that is there; None where nothing does, or it is not there."""
    try:  # asked, not opened: to close it again would end SQLite's locks on it
        is_fixed = os.name == "posix" and os.statvfs(path).f_flag & os.ST_RDONLY
    except FileNotFoundError:
        return None
    except OSError as error:
        return error
    if is_fixed:
        return OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
    return None if os.access(path, os.W_OK) else PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
