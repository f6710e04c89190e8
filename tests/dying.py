"""Processes that die at a chosen moment, as by `kill -9`: of moving a store, of executing a notebook."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from notebooks import code, write_notebook

from jupyter_mlops.errors import InputError
from jupyter_mlops.operations.store import moving as operation
from jupyter_mlops.store.transfer import whole_index as rows


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


def dies_on(event: str, condition: str = "True") -> str:
    """Source: the process that executes a notebook kills itself at an event of its execution that fulfils a condition."""
    return f"""
import os, signal
from jupyter_mlops.execution.notebook import events as execution_events
from jupyter_mlops.jobs.running.recorder import Recorder

def on_event(self, event, told=Recorder.on_event):
    if isinstance(event, execution_events.{event}) and ({condition}):
        os.kill(os.getpid(), signal.SIGKILL)
    told(self, event)

Recorder.on_event = on_event
"""


def killed(folder: Path, program: str) -> None:
    """A notebook of three cells, and a process with the source `program` that kills itself while it executes it."""
    write_notebook(
        folder / "a.ipynb",
        code("print('first')"),
        code("import time\nprint('second', flush=True)\ntime.sleep(5)"),
        code("print('third')"),
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
