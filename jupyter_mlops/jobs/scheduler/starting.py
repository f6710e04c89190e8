"""Whether a scheduler of a project is alive, and starting one in the background where none is."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from datetime import datetime, timedelta

from jupyter_mlops.domain.schedule import Heartbeat, SchedulerStatus
from jupyter_mlops.errors import StoreError
from jupyter_mlops.jobs.detached import start_detached, worker_log_path
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.files.locks import file_lock
from jupyter_mlops.store.store import Store

SILENT = timedelta(seconds=30)
"""A scheduler that has not been heard of for longer is taken for dead."""
STARTS_IN = 20.0
"""Seconds within which a scheduler that was started is heard of."""


def scheduler_status(store: Store, now: datetime) -> SchedulerStatus:
    """Whether a scheduler is alive: heard of lately and, on this machine, its process still there."""
    beats = store.schedules.heartbeats()
    for beat in beats:
        heard = now - beat.beat_at < SILENT
        there = beat.host != socket.gethostname() or processes.is_alive(beat.pid, beat.pid_started)
        if heard and there:
            return SchedulerStatus(alive=True, beat_at=beat.beat_at, host=beat.host)
    return SchedulerStatus(beat_at=beats[0].beat_at, host=beats[0].host) if beats else SchedulerStatus()


def ensure_scheduler(store: Store) -> SchedulerStatus:
    """Start a scheduler that outlives this process, where none is alive; gives how it stands then.

    Raises `StoreError` where it cannot be started.
    """
    with file_lock(store.folder / "scheduler.lock"):
        status = scheduler_status(store, store.now())
        if status.alive:
            return status
        process = start_detached(store, [sys.executable, "-m", "jupyter_mlops.jobs.scheduler", str(store.root)])
        until = time.monotonic() + STARTS_IN
        while time.monotonic() < until:
            status = scheduler_status(store, store.now())
            if status.alive:
                return status
            if process.poll() is not None:
                break
            time.sleep(0.05)
    raise StoreError("The scheduler did not start.", f"See what it said: {worker_log_path(store)}")


def stop_schedulers(store: Store) -> list[Heartbeat]:
    """Ask the schedulers of this machine to stop (SIGTERM); gives those asked. Those that are gone are forgotten."""
    asked = []
    for heart in store.schedules.heartbeats():
        if heart.host != socket.gethostname():
            continue
        if processes.is_alive(heart.pid, heart.pid_started):
            os.kill(heart.pid, signal.SIGTERM)
            asked.append(heart)
        else:
            store.schedules.forget(heart.id)
    return asked
