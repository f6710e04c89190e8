"""What ipykernel does in each cell and no one needs, or needs once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import ipykernel.ipkernel


def quiet(log: logging.Logger, level: int) -> Callable[..., None]:
    """In the place of a logger's method for `level`: ipykernel makes four records a cell. None where no one is told."""
    tell = getattr(log, logging.getLevelName(level).lower())

    def said(*arguments: Any, **options: Any) -> None:
        logger: logging.Logger | None = log
        while logger is not None:
            if any(handler.level <= level for handler in logger.handlers):
                tell(*arguments, stacklevel=options.pop("stacklevel", 1) + 1, **options)
                return
            logger = logger.parent if logger.propagate else None

    return said


def remember_signatures() -> None:
    """Let ipykernel look only once at what parameters a method takes, where it would with each cell."""
    look = getattr(ipykernel.ipkernel, "_accepts_parameters", None)
    if look is None:
        return
    known: dict[object, object] = {}

    def accepts(method: object, names: list[str]) -> object:
        if method not in known:
            known.clear()
            known[method] = look(method, names)
        return known[method]

    ipykernel.ipkernel._accepts_parameters = accepts  # type: ignore[attr-defined]
