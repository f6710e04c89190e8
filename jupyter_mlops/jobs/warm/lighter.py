"""What ipykernel does with each cell and no one needs: records for no handler, signatures looked at anew."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import ipykernel.ipkernel


def quiet(log: Any) -> Callable[..., None]:
    """In the place of a logger's `debug`, of which ipykernel makes four records a cell: none where no one is told."""
    tell = log.debug

    def debug(*arguments: Any, **options: Any) -> None:
        logger = log
        while logger is not None:
            if any(handler.level <= logging.DEBUG for handler in logger.handlers):
                tell(*arguments, stacklevel=options.pop("stacklevel", 1) + 1, **options)
                return
            logger = logger.parent if logger.propagate else None

    return debug


def remember_signatures() -> None:
    """Let ipykernel look only once at what parameters a method takes, where it would with each cell."""
    look = getattr(ipykernel.ipkernel, "_accepts_parameters", None)
    if look is None:
        return
    known: dict[Any, Any] = {}

    def accepts(method: Any, names: list[str]) -> Any:
        if method not in known:
            known.clear()
            known[method] = look(method, names)
        return known[method]

    ipykernel.ipkernel._accepts_parameters = accepts  # type: ignore[attr-defined]
