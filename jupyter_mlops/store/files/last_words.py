"""The newest messages of a kernel in memory that it shares with its runner: they are there when it is killed.

A kernel hands its messages to a thread of ZeroMQ, which dies with it, and what that had not sent by then is lost. The
same bytes stand in a file mapped into memory, a ring whose oldest messages give way: a copy costs next to nothing, and
whoever made the file reads it when the kernel is gone.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

SIZE = 4 << 20
"""Bytes that are kept; a message of more than half of them is not."""
"""Names the file in the environment of the kernel."""
_HEAD = struct.Struct("<Q")
_LENGTH = struct.Struct("<I")


def make(path: Path, size: int = SIZE) -> None:
    """Make the file, empty; its blocks are taken when they are written."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.truncate(_HEAD.size + size)


class LastWordsFile:
    """The writer. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._size = len(self._map) - _HEAD.size
        self._end = 0
        self._pid = os.getpid()

    def keep(self, frames: Sequence[Any]) -> None:
        """Keep the frames of a message; those of a forked process are its parent's matter."""
        if os.getpid() != self._pid or sum(map(_size, frames)) > self._size // 2:
            return
        parts = [bytes(frame) for frame in frames]
        record = b"".join([_LENGTH.pack(len(parts)), *(_LENGTH.pack(len(part)) + part for part in parts)])
        self._put(record + _LENGTH.pack(len(record)))
        # What ends before this is whole: it is written last.
        self._map[: _HEAD.size] = _HEAD.pack(self._end)

    def _put(self, data: bytes) -> None:
        place = self._end % self._size
        first = data[: self._size - place]
        self._map[_HEAD.size + place : _HEAD.size + place + len(first)] = first
        rest = data[len(first) :]
        self._map[_HEAD.size : _HEAD.size + len(rest)] = rest
        self._end += len(data)


def newest_first(path: Path) -> Iterator[list[bytes]]:
    """The frames of each message that is kept, the newest first; none where there is no such file."""
    try:
        data = path.read_bytes()
    except OSError:
        return
    size = len(data) - _HEAD.size
    if size <= 0:
        return
    (end,) = _HEAD.unpack_from(data)
    first = max(0, end - size)
    while end - _LENGTH.size >= first:
        (length,) = _LENGTH.unpack(_piece(data, end - _LENGTH.size, _LENGTH.size))
        end -= _LENGTH.size + length
        if end < first:
            return
        yield _frames(_piece(data, end, length))


def _size(frame: Any) -> int:
    return memoryview(frame).nbytes


def _piece(data: bytes, start: int, length: int) -> bytes:
    ring = memoryview(data)[_HEAD.size :]
    place = start % len(ring)
    first = bytes(ring[place : place + length])
    return first + bytes(ring[: length - len(first)])


def _frames(record: bytes) -> list[bytes]:
    (count,) = _LENGTH.unpack_from(record)
    found, place = [], _LENGTH.size
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(record, place)
        place += _LENGTH.size
        found.append(record[place : place + length])
        place += length
    return found
