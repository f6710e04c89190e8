"""Moves a store and dies at a chosen moment, as by `kill -9`: run in a process of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import InputError
from jupyter_mlops.operations.store import moving as operation
from jupyter_mlops.store import moving as rows


def move_and_die(root: str, targets: Sequence[str], name: str, when: str, call: int) -> None:
    """Die before or after that call of the function `name`; ends with 0 where there was nothing left to do."""
    module: Any = operation if hasattr(operation, name) else rows
    real, left = getattr(module, name), [None] * call

    def called(*arguments: Any, **named: Any) -> Any:
        left.pop()
        if not left and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        found = real(*arguments, **named)
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(module, name, called)
    try:
        operation.move_store(Path(root), targets)
    except InputError:
        return
    raise AssertionError(f"{name} was not called {call} times")
