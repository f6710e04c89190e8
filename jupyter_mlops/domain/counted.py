"""So many of something, in words."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """`1 run`, `2 runs`; `many` where its plural has more than an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
