"""What happens while a notebook is executed, one class an event; a listener takes those it cares for.

Events in order: ExecutionStarted, KernelStarted, then for each cell CellPassed, or CellStarted, KernelMessage and
OutputWritten as often as they come, CellEnded. Warned may come at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from jupyter_mlops.execution.notebook.nodes import Message, NotebookNode, OutputNode


@dataclass(frozen=True)
class ExecutionStarted:
    """The notebook is loaded and its kernel is starting."""

    notebook: NotebookNode


@dataclass(frozen=True)
class KernelStarted:
    """A kernel of this kind is starting, for this reason, as this process."""

    kind: str
    why: str
    pid: int | None


@dataclass(frozen=True)
class CellPassed:
    """A cell with nothing to execute was reached."""

    index: int


@dataclass(frozen=True)
class CellStarted:
    """A cell is given to the kernel."""

    index: int


@dataclass(frozen=True)
class KernelMessage:
    """The kernel says something of a cell, which is then put into the notebook."""

    index: int
    message: Message


@dataclass(frozen=True)
class OutputWritten:
    """A cell wrote or displayed something, in nbformat's form."""

    output: OutputNode


@dataclass(frozen=True)
class CellEnded:
    """A cell that was given to the kernel ended, after so many seconds."""

    index: int
    failed: bool
    duration: float


@dataclass(frozen=True)
class Warned:
    """Something the user should know; the execution goes on."""

    message: str
    hint: str


ExecutionEvent: TypeAlias = (
    ExecutionStarted | KernelStarted | CellPassed | CellStarted | KernelMessage | OutputWritten | CellEnded | Warned
)


class ExecutionListener(Protocol):
    """Who is told what happens, while it happens."""

    def on_event(self, event: ExecutionEvent) -> None:
        """The event has happened; those that mean nothing here are passed over."""
