"""What keeping house in a project's store tells: its sizes, what a check found, what was removed or brought over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class StepSize:
    """What the kept results of one step take, in bytes: `own` is its alone, `shared` other steps need too."""

    notebook: str
    step: str
    results: int
    own: int
    shared: int
    newest: datetime | None


@dataclass(frozen=True)
class StoreStatus:
    """Sizes in bytes; each object is counted once, under the first of `kinds` that it is."""

    folder: Path
    schema: str
    total: int
    objects: int
    kinds: dict[str, int]
    """values, displays, files, notebooks, environments, models, unreferenced, damaged, unfinished, index, tracking, other,
    and the copies here of objects that are kept elsewhere"""
    runs: int
    step_runs: int
    versions: int
    schedules: int
    steps: tuple[StepSize, ...] = ()
    index: str = ""
    """Where the index is."""
    objects_at: str = ""
    """Where the objects are."""


@dataclass(frozen=True)
class Finding:
    """Something wrong in a store, and what was done about it ("" where nothing could be)."""

    message: str
    done: str = ""


@dataclass(frozen=True)
class VerifyReport:
    """`findings` are what is wrong, `notes` what is worth knowing and fine."""

    objects: int
    bytes: int
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


@dataclass(frozen=True)
class RemovedResult:
    """A step run whose stored result went (or would go); the record stays."""

    step_run_id: str
    notebook: str
    step: str
    used_at: datetime | None
    bytes: int
    """What it alone needed; what it shares goes with the last that needs it."""


@dataclass(frozen=True)
class GcReport:
    """What `store gc` removed, or would remove. `bytes` is all that it freed, `left` what objects take afterwards."""

    is_dry: bool
    results: tuple[RemovedResult, ...] = ()
    objects: int = 0
    unfinished: int = 0
    damaged: int = 0
    journals: int = 0
    """Journals of runs that ended long ago; the runs stay."""
    bytes: int = 0
    left: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Transfer:
    """What an archive holds, or what of it was new here. `trusted`: its values may be reused."""

    archive: Path
    runs: int
    step_runs: int
    versions: int
    objects: int
    bytes: int
    trusted: bool
    numbers: dict[str, int] = field(default_factory=dict)
    """For an import: id of each run that came → its number here."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Move:
    """What `store move` brought from one place to another; `backup` says where the old one still is."""

    index: str
    objects_at: str
    rows: dict[str, int]
    """Table → its rows."""
    objects: int
    bytes: int
    backup: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recovery:
    """What `store recover` brought back, and what not."""

    base: str
    """What it was made from."""
    aside: Path | None
    """Where the index that was there is now; None where there was none."""
    runs: int
    """The number of the newest run."""
    came: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
