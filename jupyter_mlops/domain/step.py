"""A Step is one code cell as a unit of work; a StepVersion one immutable content of it; a StepRun one execution or reuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from jupyter_mlops.domain.brief import LeftOut
from jupyter_mlops.domain.reason import NO_REASONS, Reason, Reasons
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step_spec import is_named


@dataclass(frozen=True)
class StepVersion:
    """One content of a step of a notebook; `number` counts from 1 within (notebook, step)."""

    notebook: str
    step: str
    number: int
    digest: str
    source: str
    created_at: datetime
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    """In a list: how long a `source` is of which only the beginning is there."""


@dataclass(frozen=True)
class StepInput:
    """A name that a step may have read: the digest of its value and what had bound it.

    `producer` is a step's name, `cell:DIGEST` for a cell that is not a step, or "" where that was not seen.
    """

    digest: str
    producer: str = ""


@dataclass(frozen=True)
class Conditions:
    """What must still hold, beyond the key, for a result to be reused: found out while the step ran."""

    files: dict[str, str] = field(default_factory=dict)
    """Absolute path → digest of the content (or "absent", or a folder listing's digest)."""
    folder: str = ""
    """The working folder, where files were read: names of files are relative to it."""
    random_before: dict[str, str] = field(default_factory=dict)
    """Generator ("random", "numpy") → digest of its state before the step drew from it."""
    shapes: dict[str, str] = field(default_factory=dict)
    """Names that were there before and are part of the result, by groups that share mutable state ("a,b") → digest of
    the group as a whole before: of what its values hold, and of how they hang together."""
    together: dict[str, str] | None = None
    """Names that the step read and that share mutable state among themselves ("a,b"), so that `a is b` or a change of the
    one seen in the other was possible → digest of the values as one. None in records of earlier builds."""


@dataclass(frozen=True)
class StepRun:
    """One execution or reuse of one StepVersion in a Run.

    `key` digests all that was known to matter before the step ran; `unrepeatable` says why the result is not reused,
    and is empty where it may be. `result` and `display` name objects in the store. `duration` is in seconds; for a reuse
    it is the time the restoration took, and `reused_from` the id of the StepRun that computed. `known` holds what is known of
    each output name, `effects` what the step changed besides names, `files` the object of each path it wrote.
    """

    id: str
    run_id: str
    notebook: str
    step: str
    version: int
    version_digest: str
    position: int
    status: Status
    key: str = ""
    inputs: dict[str, StepInput] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    ingredients: dict[str, str] = field(default_factory=dict)
    conditions: Conditions = field(default_factory=Conditions)
    unrepeatable: Reasons = NO_REASONS
    result: str | None = None
    display: str | None = None
    reused_from: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    error: str = ""
    why: Reason | None = None
    """Why the step was executed or reused."""
    duration: float | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cell_id: str | None = None
    pid: int | None = None
    pid_started: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    effects: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def but(self, **values: Any) -> StepRun:
        """The same with other values, as `dataclasses.replace` makes it in ten times the time."""
        if unknown := values.keys() - vars(self).keys():
            raise TypeError(f"a step run has no {', '.join(sorted(unknown))}")
        made = object.__new__(StepRun)
        vars(made).update(vars(self), **values)
        return made

    @property
    def is_named(self) -> bool:
        """Whether the author named the step: the made name of any other cell has an "@"."""
        return is_named(self.step)


class StepLine(NamedTuple):
    """A step run in a list: what it was and how it ended, not what it read and made."""

    id: str
    step: str
    version: int
    status: Status
    duration: float | None
    reused_from: str | None
