"""Processes that a run's cells left behind: they go on when kernel and run have ended, in a session of their own."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from jupyter_mlops.domain import variables

_PROC = Path("/proc")
_OURS = "jupyter_mlops"


def left_behind(kernel: int | None, run_id: str) -> list[psutil.Process]:
    """The processes that have the run in their environment, as all have that its kernel started and that kept it.

    Only those are asked that were started after the kernel's process, as the system numbers them: that costs next to
    nothing. None where the system does not tell (anything but Linux).
    """
    if kernel is None or not _PROC.is_dir() or not run_id:
        return []
    mark = f"{variables.RUN_ID}={run_id}".encode()
    numbers = [int(name) for name in os.listdir(_PROC) if name.isdecimal()]
    later = [number for number in numbers if number > kernel] if _last() > kernel else numbers
    processes = []
    for number in later:
        try:
            if mark not in (_PROC / str(number) / "environ").read_bytes().split(b"\0") or number == os.getpid():
                continue
            process = psutil.Process(number)
            if process.status() != psutil.STATUS_ZOMBIE and _OURS not in " ".join(process.cmdline()):
                processes.append(process)
        except (OSError, psutil.Error):
            continue
    return processes


def named(processes: list[psutil.Process]) -> str:
    """Their names and numbers, for people."""
    told = []
    for process in processes:
        try:
            told.append(f"{process.name()} (pid {process.pid})")
        except psutil.Error:
            continue
    return ", ".join(told)


def _last() -> int:
    """The number of the process that was started last: where it is a low one, the numbers have begun anew."""
    try:
        return int((_PROC / "loadavg").read_text().split()[-1])
    except (OSError, ValueError, IndexError):
        return 0
