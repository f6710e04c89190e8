"""A Worker: a process that takes runs from the queue and executes them in its slots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Worker:
    """A worker's process, seen alive at `beat_at`. `host` is the machine, and there the space its pid is from."""

    id: str
    host: str
    pid: int
    pid_started: float
    slots: int
    started_at: datetime
    beat_at: datetime
