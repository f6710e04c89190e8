"""Looks through the bytes that a digest is fed with, many small pieces at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_mlops.secrets.redaction import Patterns

_AT_ONCE = 1 << 16


class Scan:
    """Whether what was fed through it holds a secret."""

    def __init__(self, patterns: Patterns) -> None:
        self._patterns = patterns
        self._pieces: list[bytes] = []
        self._size = 0
        self._found = False

    def before(self, feed: Callable[[Any], None]) -> Callable[[Any], None]:
        """The function that looks at what it passes on."""

        def look(data: Any) -> None:
            if not self._found:
                self._take(data)
            feed(data)

        return look

    def _take(self, data: Any) -> None:
        size = memoryview(data).nbytes
        if size >= _AT_ONCE:
            self._found = self._patterns.holds_bytes(data)
            return
        self._pieces.append(bytes(data))
        self._size += size
        if self._size >= _AT_ONCE:
            self._look()

    def _look(self) -> None:
        pieces, self._pieces, self._size = self._pieces, [], 0
        self._found = self._found or self._patterns.holds_bytes(b"".join(pieces))

    def found(self) -> bool:
        """To be asked at the end."""
        if self._pieces:
            self._look()
        return self._found

    def mark(self) -> None:
        """A secret was met."""
        self._found = True
