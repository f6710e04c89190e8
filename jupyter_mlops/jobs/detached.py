"""Sees to it that a worker lives: starts one in a session of its own, so that it outlives whoever asked for a run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.variables import OF_KERNELS
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.errors import StoreError
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.files.child_processes import import_path, open_log
from jupyter_mlops.store.files.locks import file_lock
from jupyter_mlops.store.store import Store

OF_JUPYTER = ("JPY_PARENT_PID", "JPY_SESSION_NAME", "JPY_INTERRUPT_EVENT")
"""What Jupyter tells a kernel: not to be handed on to a worker that is started within one."""


def log_path(store: Store, run: Run) -> Path:
    """Where the execution of a run tells what happens."""
    return store.folder / "logs" / f"{run.id}.log"


def worker_log_path(store: Store) -> Path:
    """Where the workers that were started here tell what happens."""
    return store.folder / "logs" / "worker.log"


def default_slots() -> int:
    """How many runs a worker executes at once where nothing is said."""
    return max(2, os.cpu_count() or 2)


def ensure_worker(store: Store) -> None:
    """Where no worker that takes runs is alive, start one, which ends when there has been nothing to do for a while.

    Raises `StoreError` where it cannot be started.
    """
    if _is_served(store):
        return
    with file_lock(store.folder / "worker.lock"):
        if not _is_served(store):
            _start(store)


def _is_served(store: Store) -> bool:
    return any(worker.slots for worker in store.queue.living(store.now()))


def _start(store: Store) -> None:
    worker_id, slots = store.new_id(), default_slots()
    arguments = [str(store.root), "--id", worker_id, "--slots", str(slots), "--linger", "10"]
    process = start_detached(store, [sys.executable, "-m", "jupyter_mlops.jobs.worker", *arguments])
    try:
        started = psutil.Process(process.pid).create_time()
    except psutil.Error:
        return
    now = store.now()
    # Noted already here: whoever asks next, before the new process has come so far, starts no other.
    store.queue.enter(Worker(worker_id, processes.this_host(), process.pid, started, slots, now, now))


def start_detached(store: Store, command: list[str]) -> subprocess.Popen[bytes]:
    """Start a process of the project, in its own session, that writes to the workers' log."""
    path = worker_log_path(store)
    hidden = {*OF_KERNELS, *OF_JUPYTER}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    try:
        with open_log(path) as log:
            process = subprocess.Popen(
                command,
                # The folder a process starts in is on its import path: one without modules that could hide others.
                cwd=store.folder,
                env={**environment, **import_path()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise StoreError(
            f"The worker's process cannot be started: {error}.", f"Check that '{path.parent}' is writable."
        ) from error
    # Reaped here where we live long enough; a child without a waiting parent would stay as a zombie.
    threading.Thread(target=process.wait, name="mlops-reap", daemon=True).start()
    return process
