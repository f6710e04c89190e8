"""Whether a process that said it works on something is still there: by pid and start time, since pids come again."""

from __future__ import annotations

import contextlib
import os
import socket
from functools import lru_cache

import psutil


def this_process() -> tuple[int, float]:
    """Pid and start time (seconds since the epoch) of this process."""
    pid = os.getpid()
    return pid, _start_of(pid)


@lru_cache(maxsize=1)
def _start_of(pid: int) -> float:
    return psutil.Process(pid).create_time()


def start_of(pid: int) -> float | None:
    """When the process with this pid started; None where there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def is_alive(pid: int | None, started: float | None) -> bool:
    """Whether the process with this pid, started then, still runs (a zombie does not)."""
    if pid is None:
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return started is None or abs(process.create_time() - started) < 1.0
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


@lru_cache(maxsize=1)
def this_host() -> str:
    """This machine; in a container also which space of pids, since its pids mean nothing outside."""
    space = ""
    with contextlib.suppress(OSError):
        space = os.readlink("/proc/self/ns/pid").removeprefix("pid:")
    return socket.gethostname() + space


def is_suspended(pid: int, started: float) -> bool:
    """Whether the process is there, but someone stopped it, so that it does nothing."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1.0 and process.status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False
