"""What of a cell's code is read, so that one bad cell is one bad cell: how long, how deep, and which characters.

What is beyond that is not read at all: the cell counts as one that may read and bind anything, and runs always.
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable
from typing import TypeVar

from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.reason_text import phrase

T = TypeVar("T")

LONGEST = 1_000_000
"""Characters of a cell."""
LONGEST_WITH_MAGICS = 20_000
"""The same of one that is no Python as it stands: IPython takes it apart in a time that grows by the square."""
DEEPEST = 200
"""Levels of a parameters cell, whose values are followed from each part to its parts."""


class UnreadError(ValueError):
    """Code that is beyond the bounds: `reason` says which, and the message goes on after "it"."""

    def __init__(self, code: ReasonCode, detail: str = "") -> None:
        self.reason = Reason(code, detail)
        super().__init__(phrase(self.reason))


def check_length(code: str, most: int = LONGEST) -> None:
    """Raise `UnreadError` for code that is longer."""
    if len(code) > most:
        raise UnreadError(ReasonCode.TOO_LONG, f"{most:,}")


def read(reading: Callable[[], T]) -> T:
    """What `reading` gives; it may raise `SyntaxError`, and where the code is beyond what can be read `UnreadError`.

    Deep code is read again on a thread of its own, so that it does not matter how deep the caller stands: a kernel, a
    server and a command find the same.
    """
    try:
        return _read(reading)
    except RecursionError:
        return _on_thread(reading)


def _read(reading: Callable[[], T]) -> T:
    try:
        return reading()
    except MemoryError as error:  # as Python's own parser says it
        raise UnreadError(ReasonCode.TOO_DEEP) from error
    except UnicodeEncodeError as error:
        raise UnreadError(ReasonCode.HALF_CHARACTER) from error


def _on_thread(reading: Callable[[], T]) -> T:
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(_read(reading))
        except (SyntaxError, ValueError, RecursionError) as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="jupyter-mlops-deep")
    thread.start()
    thread.join()
    if done:
        return done[0]
    if failed and not isinstance(failed[0], RecursionError):
        raise failed[0]
    raise UnreadError(ReasonCode.TOO_DEEP)


def check_depth(tree: ast.AST, most: int = DEEPEST) -> None:
    """Raise `UnreadError` for a tree that has more levels."""
    level: list[ast.AST] = [tree]
    for _ in range(most):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise UnreadError(ReasonCode.TOO_DEEP)
