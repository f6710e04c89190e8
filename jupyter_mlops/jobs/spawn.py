"""Starts the process that executes a run: its own session, so that it outlives whoever asked for it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from jupyter_mlops.domain.run import Run
from jupyter_mlops.errors import StoreError
from jupyter_mlops.store.store import Store


def log_path(store: Store, run: Run) -> Path:
    """Where the process writes what it has to say."""
    return store.folder / "logs" / f"{run.id}.log"


def spawn(store: Store, run: Run) -> None:
    """Start the process for a pending run. Started twice, only the first one executes it."""
    path = log_path(store, run)
    command = [sys.executable, "-m", "jupyter_mlops.jobs.runner", str(store.root), run.id]
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with open(path, "ab") as log:
            process = subprocess.Popen(
                command,
                # The folder a process starts in is on its import path: one without modules that could hide others.
                cwd=store.folder,
                env={**os.environ, **import_path()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise StoreError(
            f"The process for run {run.number} cannot be started: {error}.", f"See that '{path.parent}' is writable."
        ) from error
    # Reaped here where we live long enough; a child without a waiting parent would stay as a zombie.
    threading.Thread(target=process.wait, name="mlops-reap", daemon=True).start()
    try:
        started = psutil.Process(process.pid).create_time()
    except psutil.Error:
        return
    store.runs.assign(run.id, process.pid, started)


def import_path() -> dict[str, str]:
    """For a source checkout that is not installed: let the process find the package where this one did."""
    parent = Path(__file__).resolve().parents[2]
    if parent.name in ("site-packages", "dist-packages"):
        return {}
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(parent), *([before] if before else [])])}
