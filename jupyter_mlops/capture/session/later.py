"""What may still be read of a step's values: by the cells below it, and as the shell's history of what was shown."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_mlops.analysis.code.magics import EVERYTHING
from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.analysis.pipeline.shown import reads_shown
from jupyter_mlops.capture.key.value_facts import reached
from jupyter_mlops.capture.key.world import LiveWorld
from jupyter_mlops.capture.session.hydrating import Hydrating
from jupyter_mlops.capture.session.notebook import NotebookView


@dataclass(frozen=True)
class LaterReads:
    """Asks the notebook as it is now; keeps nothing."""

    view: NotebookView
    world: LiveWorld
    hydrator: Hydrating

    @property
    def are_known(self) -> bool:
        """Whether the notebook's cells are known at all."""
        return bool(self.view.steps())

    def may_read(self, step: StepCell, names: set[str]) -> bool:
        """Whether a cell below `step` may read one of `names`."""
        from jupyter_mlops.analysis.pipeline.links import later_reads

        found = later_reads(self.view.steps(), self.view.place(step))
        return EVERYTHING in found or bool(reached(self.world.know, found) & names)

    def may_read_shown(self, step: StepCell) -> bool:
        """Whether a cell below `step` may read what `step` shows, as `_` or `Out`."""
        return reads_shown(self.view.steps()[self.view.place(step) + 1 :])

    def are_shown(self, names: set[str]) -> bool:
        """Whether the shell's history holds something of the values of `names`, loaded or not."""
        return self.hydrator.has_shown(names) or self.world.is_in_history(names)
