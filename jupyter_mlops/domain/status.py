"""The one status enum: pending → running → completed | failed | canceled | lost; a StepRun may also be reused."""

from __future__ import annotations

from enum import Enum


class Status(str, Enum):
    """How far a Run or a StepRun has come."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    LOST = "lost"
    REUSED = "reused"

    def __str__(self) -> str:
        return self.value

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (Status.PENDING, Status.RUNNING)

    @property
    def succeeded(self) -> bool:
        """Whether the result stands: computed or reused."""
        return self in (Status.COMPLETED, Status.REUSED)


class StepState(str, Enum):
    """What the panel and `status` say of a step as its notebook stands now."""

    FRESH = "fresh"
    STALE = "stale"
    RUNNING = "running"
    FAILED = "failed"
    CANCELED = "canceled"
    NEVER_RUN = "never_run"
    COMPLETED = "completed"
    """Of a run that is looked at, as the next: how the step ended there, whatever holds now."""
    REUSED = "reused"

    def __str__(self) -> str:
        return self.value
