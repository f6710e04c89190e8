"""A database from its log alone, where the log holds every page: what is left when only the file was emptied or deleted.

The format is that of sqlite.org/fileformat2.html#walformat. A log that lacks a page gives nothing.
"""

from __future__ import annotations

import struct
from pathlib import Path

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = (0x377F0682, 0x377F0683)


def restore(log: Path, target: Path) -> bool:
    """Write the database as of the last commit in its log; False where the log does not hold all of it."""
    try:
        data = log.read_bytes()
    except OSError:
        return False
    if len(data) < _HEADER.size or (head := _HEADER.unpack_from(data))[0] not in _MAGIC:
        return False
    size, salts = head[2], head[4:6]
    pages, count = _committed(data, size, salts)
    if not count or not pages.keys() >= set(range(1, count + 1)):
        return False
    with open(target, "wb") as file:
        for number in range(1, count + 1):
            file.write(data[pages[number] : pages[number] + size])
    return True


def _committed(data: bytes, size: int, salts: tuple[int, ...]) -> tuple[dict[int, int], int]:
    """Where each page lies as of the last commit, and how many there are then."""
    pages: dict[int, int] = {}
    since: dict[int, int] = {}
    count, at = 0, _HEADER.size
    while at + _FRAME.size + size <= len(data):
        page, after, *more = _FRAME.unpack_from(data, at)
        if tuple(more[:2]) != salts:  # of an earlier use of the file
            break
        since[page] = at + _FRAME.size
        if after:  # a commit: how many pages there are from here on
            pages |= since
            since, count = {}, after
        at += _FRAME.size + size
    return pages, count
