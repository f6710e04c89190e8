"""A Notice: word of how a run ended, to be sent to one target."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

FAILURE, RECOVERY, SUCCESS = "failure", "recovery", "success"
EVENTS = (FAILURE, RECOVERY, SUCCESS)
"""A run failed or was lost; the first of its kind that completed after one that failed; any that completed."""
PENDING, SENT, GIVEN_UP = "pending", "sent", "given_up"
GOES_TO = ":="
"""Stands between events and target in what a run keeps of whom to tell."""


@dataclass(frozen=True)
class Notice:
    """What is to be told of a run: its event, and to whom. `id` is the same for the same run, event and target."""

    id: str
    run_id: str
    event: str
    target: str
    status: str
    attempts: int
    error: str
    created_at: datetime
    next_at: datetime | None = None
    """When it is to be tried next."""


def notice_id(run_id: str, event: str, target: str) -> str:
    """The id of a notice: the same for the same run, event and target, so that a receiver can tell it came before."""
    return hashlib.sha256(f"{run_id} {event} {target}".encode()).hexdigest()[:32]
