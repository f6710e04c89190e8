"""Reads the bytes of a database's file without taking SQLite's locks from this process.

POSIX ends all locks that a process has on a file as soon as the process closes any descriptor of it
(sqlite.org/howtocorrupt.html, section 2.2). Another process then takes itself for the last one, and removes the log into
which this one goes on writing. So a descriptor that was opened here beside SQLite's stays open as long as the process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

_PIECE = 1 << 20
_held: dict[tuple[int, int], int] = {}
_turn = threading.Lock()


def read_start(path: Path, count: int) -> bytes:
    """The first bytes of a file. Raises `OSError`."""
    return next(_pieces(path, count), b"")[:count]


def copy_file(path: Path, target: Path) -> None:
    """Copy the bytes of a file to another one, which is made or written over. Raises `OSError`."""
    pieces = _pieces(path, _PIECE)
    first = next(pieces, b"")  # so that nothing is made where there is nothing to copy
    with open(target, "wb") as file:
        file.write(first)
        file.writelines(pieces)


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    if os.name != "posix":
        with open(path, "rb") as file:
            while piece := file.read(size):
                yield piece
        return
    descriptor, at = _descriptor(path), 0
    while piece := os.pread(descriptor, size, at):
        yield piece
        at += len(piece)


def _descriptor(path: Path) -> int:
    """One that stays open; the same for the same file."""
    with _turn:
        status = os.stat(path)
        known = _held.get((status.st_dev, status.st_ino))
        if known is None:
            known = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            status = os.fstat(known)
            _held.setdefault((status.st_dev, status.st_ino), known)
        return known
