"""What happens to the steps of a kernel, one class an event; a listener takes those it cares for.

A step is reused, skipped, or started and then ended. A reused step has ended too, but for one whose record says so
already. ValuesRecalled and AuthorWarned may come at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from jupyter_mlops.domain.reason import Reason

if TYPE_CHECKING:
    from jupyter_mlops.domain.step import StepRun


@dataclass(frozen=True)
class StepStarted:
    """A step is about to be executed."""

    step_run: StepRun


@dataclass(frozen=True)
class StepEnded:
    """A step has ended, or was reused."""

    step_run: StepRun


@dataclass(frozen=True)
class StepReused:
    """A step was reused: computing it, as `source`, took `saved` seconds."""

    step_run: StepRun
    saved: float
    source: StepRun


@dataclass(frozen=True)
class StepSkipped:
    """The step of this name was left out."""

    step: str
    why: Reason


@dataclass(frozen=True)
class ValuesRecalled:
    """Values that were not in this kernel (name → the step that makes it) were taken from the record."""

    names: Mapping[str, str]


@dataclass(frozen=True)
class AuthorWarned:
    """Something the author should know; the cell goes on."""

    message: str
    hint: str


StepEvent: TypeAlias = StepStarted | StepEnded | StepReused | StepSkipped | ValuesRecalled | AuthorWarned


class StepListener(Protocol):
    """Who is told what happens to steps, while it happens."""

    def on_event(self, event: StepEvent) -> None:
        """The event has happened; those that mean nothing here are passed over."""
