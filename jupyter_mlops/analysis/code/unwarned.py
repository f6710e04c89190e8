"""Silence for what we do ourselves in a process whose warnings are another's."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

_IGNORED = ("ignore", None, Warning, None, 0)


@contextlib.contextmanager
def unwarned() -> Iterator[None]:
    """Nothing warns in the block. `warnings.catch_warnings` would tell all modules that the filters changed: what they
    show once they would then show again.
    """
    filters: list[tuple[object, ...]] = warnings.filters  # type: ignore[assignment]
    filters.insert(0, _IGNORED)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # someone took all filters away
            filters.remove(_IGNORED)
