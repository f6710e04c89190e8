"""What a kernel's steps leave to be written behind their cells: the saver, made late, and how long cells wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlops.capture.session.context import KernelContext
from jupyter_mlops.capture.session.project import KernelProject

if TYPE_CHECKING:
    from jupyter_mlops.capture.results.saver import Saver

_LONGEST_WAIT = 0.4
"""Seconds that a job's step waits at most for what is not written yet."""


class ResultWriting:
    """Costs nothing until there is something to write."""

    def __init__(self, context: KernelContext, project: KernelProject) -> None:
        self._context = context
        self._project = project
        self._saver: Saver | None = None
        self._owed = 0.0
        """Seconds that the longest step of a job took whose result may not be written yet."""

    @property
    def saver(self) -> Saver:
        """The thread that writes records and results."""
        if self._saver is None:
            from jupyter_mlops.capture.results.saver import Saver

            self._saver = Saver(self._project.store, self._context.namespace)
        return self._saver

    def stir(self) -> None:
        """A cell begins or ends."""
        if self._saver is not None:
            self._saver.stir()

    def secure(self) -> None:
        """Before a cell: copy what is not written yet, and which the cell may change."""
        if self._saver is not None:
            self._saver.secure()

    def drain(self, timeout: float) -> bool:
        """Wait until all is written; False where `timeout` seconds did not suffice."""
        return True if self._saver is None else self._saver.drain(timeout)

    def owe(self, seconds: float) -> None:
        """A result that took so long to compute may not be written yet."""
        self._owed = max(self._owed, seconds)

    def catch_up(self) -> None:
        """Before a job's next step is executed: wait a moment for what took long to be written, should this one be killed."""
        owed, self._owed = self._owed, 0.0
        if owed:
            self.drain(min(_LONGEST_WAIT, owed / 20))

    def notices(self) -> list[tuple[str, str]]:
        """What went wrong behind the cells, each with its hint, and was not told yet. A job's notebook shows none of it."""
        if self._saver is None or self._context.is_job:
            return []
        found = self._saver.notices[:]
        del self._saver.notices[: len(found)]  # the thread may have put down another meanwhile
        return found
