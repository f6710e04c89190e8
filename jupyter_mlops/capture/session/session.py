"""One kernel's session: those who know its kernel, its run, its cells and its notebook, each of them by itself.

Whoever needs one of them is handed that one. The session itself knows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_mlops.capture.session.context import KernelContext
from jupyter_mlops.capture.session.history import CellHistory
from jupyter_mlops.capture.session.hydrating import Hydrating
from jupyter_mlops.capture.session.later import LaterReads
from jupyter_mlops.capture.session.notebook import NotebookView
from jupyter_mlops.capture.session.owners import Owners
from jupyter_mlops.capture.session.policy import CapturePolicy
from jupyter_mlops.capture.session.run import RunHandle

if TYPE_CHECKING:
    from jupyter_mlops.capture.session.events import StepListener


@dataclass(frozen=True)
class Session:
    """Made when the extension is loaded; costs nothing until the first step."""

    context: KernelContext
    run: RunHandle
    history: CellHistory
    view: NotebookView
    owners: Owners
    later: LaterReads
    policy: CapturePolicy
    hydrator: Hydrating
    listener: StepListener

    def stir(self) -> None:
        """A cell begins or ends."""
        self.context.look_again()
        self.view.look_again()
        self.run.writing.stir()
