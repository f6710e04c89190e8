"""MLflow, fed from the store's outbox by one writer process, so that nothing of it blocks a cell.

Whoever changed a run calls `wake`; whoever needs MLflow to be up to date calls `drain`. Neither imports MLflow.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain import variables
from jupyter_mlops.store.files.child_processes import import_path, open_log
from jupyter_mlops.store.files.locks import try_file_lock
from jupyter_mlops.store.project.folder import FOLDER

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

__all__ = ["drain", "lock_path", "log_path", "wake"]

STARTING_SECONDS = 1.0
"""A writer that was started so recently will still look at the outbox: no second one is needed."""

_started: dict[Path, float] = {}


def lock_path(root: Path) -> Path:
    """The lock that the one writer of a project holds while it works."""
    return root / FOLDER / "tracking.lock"


def log_path(root: Path) -> Path:
    """Where the writer tells what it did and what failed."""
    return root / FOLDER / "logs" / "tracking.log"


def wake(root: Path) -> None:
    """Make sure that a writer is at work for the project `root`; takes a few milliseconds and does not wait for it.

    With `MLOPS_TRACKING=later` in the environment nothing is started: messages wait in the store until the first
    process without it, or `drain`, has them delivered.

    To be called after the change is committed: a writer that is just ending looks at the outbox once more after it has
    let go of the lock, so a message is seen either by it or by the one started here.
    """
    if os.environ.get(variables.TRACKING) != "later":
        _wake(root)


def _wake(root: Path) -> None:
    if time.monotonic() - _started.get(root, float("-inf")) < STARTING_SECONDS:
        return
    with try_file_lock(lock_path(root)) as free:
        pass
    if free:
        _start_writer(root)
        _started[root] = time.monotonic()


def drain(store: Store, timeout: float) -> bool:
    """Wait until all messages are delivered, at most `timeout` seconds; returns whether they are."""
    end = time.monotonic() + timeout
    pause = 0.02
    while store.outbox.size():
        _wake(store.root)
        if time.monotonic() >= end:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)
    return True


def _start_writer(root: Path) -> None:
    command = [sys.executable, "-m", "jupyter_mlops.tracking.writer", str(root)]
    # The project's own modules must not hide those of the library, so the process starts in a folder without any.
    folder = root / FOLDER
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **import_path()}
    with open_log(log_path(root)) as log:
        into: Any = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": folder, "env": environment}
        if os.name == "posix":
            # The shell hands the writer over to init, so it is nobody's child: no zombie, nothing to wait for.
            shell = ["/bin/sh", "-c", '"$@" &', "sh", *command]
            subprocess.run(shell, start_new_session=True, check=True, **into)
        else:  # pragma: no cover
            flags = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
            subprocess.Popen(command, creationflags=flags, **into)
