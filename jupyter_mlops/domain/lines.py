"""The lines of a text one by one: of megabytes no more is taken apart than is looked at."""

from __future__ import annotations

from collections.abc import Iterator


def lines_of(text: str, *, keepends: bool = False) -> Iterator[str]:
    """The same lines as `text.splitlines(keepends)` gives."""
    place = 0
    while place < len(text):
        end = text.find("\n", place) + 1 or len(text)
        yield from text[place:end].splitlines(keepends)
        place = end
