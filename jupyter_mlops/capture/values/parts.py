"""Pieces of memory on their way to the store: still the values' own, then a copy, then written and let go."""

from __future__ import annotations

import sys
from collections.abc import Sequence

INLINE = 1 << 16
"""Buffers below this many bytes lie in the values object itself; from it on each is an object of its own."""


class Part:
    """One piece that becomes one object. `fixed` memory does not change, so it needs no copy; `anchor` keeps it alive."""

    def __init__(self, data: memoryview | bytes, fixed: bool = False, anchor: object = None) -> None:
        self._data: memoryview | bytes | None = data
        self._fixed = fixed or type(data) is bytes
        self._anchor = anchor
        self.nbytes = memoryview(data).nbytes

    def peek(self) -> memoryview | bytes:
        """The bytes as they are now, to be looked at only."""
        if self._data is None:
            raise ValueError("a part is written once")
        return self._data

    def own(self) -> memoryview | bytes:
        """The bytes, from now on no one else's. To be called by one thread at a time."""
        if self._data is None:
            raise ValueError("a part is written once")
        if not self._fixed:
            self._data, self._fixed, self._anchor = _copied(self._data), True, None
        return self._data

    def secure(self) -> None:
        """Copy what still is a value's own memory, unless it is written already."""
        if self._data is not None:
            self.own()

    def release(self) -> None:
        """Let the memory go: it is written."""
        self._data = self._anchor = None


def _copied(data: memoryview | bytes) -> memoryview:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return memoryview(bytearray(data))
    copy = numpy.empty(memoryview(data).nbytes, dtype="u1")  # in huge pages, which makes it several times as fast
    numpy.copyto(copy, numpy.frombuffer(data, dtype="u1"))
    return memoryview(copy)


def cut(data: memoryview, row: int, anchor: object) -> Sequence[Part]:
    """The parts of a buffer of equal rows of `row` bytes (0: no rows): as few rows each as make up a part of their own."""
    if row <= 0 or data.nbytes < 2 * INLINE:
        return [Part(data, anchor=anchor)]
    step = row * -(-INLINE // row)
    return [Part(data[start : start + step], anchor=anchor) for start in range(0, data.nbytes, step)]
