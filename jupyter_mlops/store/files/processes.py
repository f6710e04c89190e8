"""Whether a process that said it works on something is still there: by pid and start time, since pids come again.

And what a process of ours does with its memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
from functools import lru_cache

import psutil

KEPT = 64 << 20
"""Bytes at most that a thread of a process of ours holds when it does not need them."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_memory() -> None:
    """Let the next job have the memory that one gave back: to get it from the system anew takes longer than to copy it."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(AttributeError):  # of other C libraries than GNU's
        tune = ctypes.CDLL(None).mallopt
        tune(_M_MMAP_THRESHOLD, KEPT // 2)
        tune(_M_TRIM_THRESHOLD, KEPT)


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


def is_within(pid: int, ancestor: int) -> bool:
    """Whether the process with this pid was started by `ancestor`, or by one that it started."""
    try:
        return any(parent.pid == ancestor for parent in psutil.Process(pid).parents())
    except psutil.Error:
        return False


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
