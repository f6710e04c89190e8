"""Watches the memory of a kernel and of the machine, so that a run ends with a word before the system ends it without."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import psutil

from jupyter_mlops.execution.notebook.outcome import AGAIN, StopReason

SECONDS = 0.25
"""Between two looks."""
FAR_OVER = 1.25
"""A kernel that has this many times what it may have is not asked first."""
LOW = 0.03
"""A machine with less than this part of its memory left is short of it."""
_RECENT = 12
"""Looks that count as "just before": 3 seconds."""
_VMSTAT = Path("/proc/vmstat")
_LESS = "Allow it more with --memory, or load less at a time. " + AGAIN


class MemoryWatch:
    """Looks at the process `pid` and all below it; `limit` is the most bytes they may have."""

    def __init__(self, pid: int | None, limit: int | None) -> None:
        self.pid = pid
        self.limit = limit
        self.highest = 0
        """The most bytes the process had at any look."""
        self._left: deque[int] = deque(maxlen=_RECENT)
        self._kills: deque[int] = deque([_oom_kills_just_now()], maxlen=_RECENT)

    async def watch(self, on_exceeded: Callable[[StopReason, bool], None]) -> None:
        """Look four times a second; `on_exceeded` is told the reason, and whether there is not a time to ask first."""
        while True:
            await asyncio.sleep(SECONDS)
            used = self.look()
            if self.limit is not None and used > self.limit:
                message = (
                    f"The kernel used {megabytes(used)} of memory, more than its limit of {megabytes(self.limit)}."
                )
                on_exceeded(StopReason("out_of_memory", message, "OutOfMemory", _LESS), used > FAR_OVER * self.limit)

    def look(self) -> int:
        """Take one look; gives the bytes that the kernel has now."""
        self._left.append(psutil.virtual_memory().available)
        self._kills.append(_oom_kills())
        used = 0 if self.pid is None else memory_of(self.pid, self.limit)
        self.highest = max(self.highest, used)
        return used

    def shortage(self) -> str:
        """What the system's memory has to do with a process that was killed just now; "" where nothing."""
        if _oom_kills() > self._kills[0]:
            return "The system ran out of memory and ended it."
        now = psutil.virtual_memory()
        left = min([*self._left, now.available])
        if left < LOW * now.total:
            return f"The machine had only {megabytes(left)} of memory left."
        return ""


def memory_of(pid: int, limit: int | None = None) -> int:
    """Bytes that a process and, where there is a `limit`, all below it hold; 0 where it is gone.

    Pages that several of them share count once for each, unless that passes the limit: then they are counted truly,
    where the system can (Linux), which takes longer.
    """
    try:
        process = psutil.Process(pid)
        if limit is None:
            return int(process.memory_info().rss)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    used = sum(_resident(each) for each in family)
    return used if used <= limit or len(family) == 1 else sum(_proportional(each) for each in family)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _proportional(process: psutil.Process) -> int:
    try:
        found = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(found, "pss", found.rss))


def _oom_kills() -> int:
    """How many processes the system has ended for want of memory since it started; 0 where it does not tell."""
    try:
        text = _VMSTAT.read_bytes()
    except OSError:
        return 0
    _, found, rest = text.partition(b"\noom_kill ")
    return int(rest.split(b"\n", 1)[0]) if found else 0


_last: list[tuple[float, int]] = []
"""When that was asked last in this process, and what it was."""


def _oom_kills_just_now() -> int:
    """The same, as of the last look or two ago at most: to ask takes longer than much else that a short job does."""
    now = time.monotonic()
    if not _last or now - _last[0][0] > SECONDS:
        _last[:] = [(now, _oom_kills())]
    return _last[0][1]


def megabytes(nbytes: int) -> str:
    """`nbytes` in whole megabytes, for people."""
    return f"{nbytes / 1e6:,.0f} MB"
