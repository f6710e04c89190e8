"""What a session asks of whoever gives cells the values of reused steps: `restore.hydrate` does it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from jupyter_mlops.analysis.code.facts import CodeFacts

if TYPE_CHECKING:
    from jupyter_mlops.domain.step import StepRun


class Hydrating(Protocol):
    """Loads values just before code runs that may need them."""

    imports: dict[str, None]
    """Modules that reused steps imported, and which may not be loaded yet."""
    backend: str
    """What a reused step had given to `%matplotlib`, and which is not set yet."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be loaded or set."""

    def ready(self, names: Iterable[str] | None, *, libraries_used: bool) -> None:
        """Make ready what code needs that may read `names` (None: any) and, if so, uses libraries."""

    def load_small(self, names: Iterable[str]) -> None:
        """In a notebook that someone works in, load small values at once, so that they are there to look at."""

    def show(self, facts: CodeFacts) -> bool:
        """Put in `_` and `Out` what reused steps had shown, where code may read it; gives whether any did."""

    def showed(self, source: StepRun) -> None:
        """A step was reused that had shown something: put it, or what stands for it, into `_` and `Out`."""

    def has_shown(self, names: set[str]) -> bool:
        """Whether the history holds something of the values of `names` that are not loaded yet."""
