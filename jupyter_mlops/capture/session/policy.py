"""What is asked of steps in this kernel: whether all cells are steps, and which run whatever could be reused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from jupyter_mlops.domain.variables import KernelTask


class CapturePolicy:
    """Begins as the kernel's task says; `%mlops capture` and `%mlops run --force` change it."""

    def __init__(self, task: KernelTask) -> None:
        self.capture_all = task.captures_all
        """Whether cells that no one named are steps too."""
        self._forced = frozenset(task.forced)

    def forces(self, step: str) -> bool:
        """Whether a step is to run whatever could be reused; the name "*" stands for all steps."""
        return not self._forced.isdisjoint((step, "*"))

    @contextmanager
    def forcing(self, steps: Iterable[str]) -> Iterator[None]:
        """For a while these steps are forced, and no others."""
        kept, self._forced = self._forced, frozenset(steps)
        try:
            yield
        finally:
            self._forced = kept
