"""What this kernel's cells did before: who bound which name, the newest run of each step, how many steps ran."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from jupyter_mlops.capture.session.notebook import sent_position
from jupyter_mlops.capture.session.run import RunHandle

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_mlops.domain.step import StepRun


class CellHistory:
    """Remembers this kernel's steps, and asks the record for what was before it."""

    def __init__(self, shell: InteractiveShell, run: RunHandle) -> None:
        self._shell = shell
        self._run = run
        self.producers: dict[str, str] = {}
        """Name → the step or cell that bound it last."""
        self._position = 0
        self._last: dict[tuple[str, str], StepRun | None] = {}
        self._recorded: tuple[str, Callable[[str], StepRun | None]] = ("", lambda _: None)
        """A notebook, and what gives the newest runs of its steps from before this session."""

    def next_position(self) -> int:
        """A number for the next step run: its cell's place where the engine says it, else one more than the last."""
        self._position = sent_position(self._shell) or self._position + 1
        return self._position

    def bound(self, names: Iterable[str], label: str) -> None:
        """A step or cell has bound these names."""
        for name in names:
            self.producers[name] = label

    def last_of(self, notebook: str, step: str) -> StepRun | None:
        """The newest run of a step."""
        if (notebook, step) not in self._last:
            if self._recorded[0] != notebook:
                self._recorded = notebook, self._run.store.steps.last_by_need(notebook)
            self._last[notebook, step] = self._recorded[1](step)
        return self._last[notebook, step]

    def cell_of(self, step: str) -> str | None:
        """The cell that a step of this kernel's notebook was when it last ran."""
        last = self.last_of(self._run.notebook, step)
        return None if last is None else last.cell_id

    def remember(self, step_run: StepRun) -> None:
        """Note the newest run of a step."""
        self._last[step_run.notebook, step_run.step] = step_run
