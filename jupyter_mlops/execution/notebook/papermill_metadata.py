"""papermill's record in a notebook's metadata, kept true: a cell is completed when it was executed to its end.

The form (keys, statuses) is papermill's own, `papermill.engines.NotebookExecutionManager`; what stands in it is not
taken over, because that marks cells completed which never ran when a kernel dies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jupyter_mlops.execution.notebook.nodes import NotebookNode

PENDING = "pending"
RUNNING = "running"
COMPLETED = "completed"
FAILED = "failed"
SKIP_TAG = "skip-execution"


def is_executed(cell: Mapping[str, Any]) -> bool:
    """Whether a cell is one the kernel gets: code that is not empty and not tagged `skip-execution`."""
    return (
        cell["cell_type"] == "code"
        and bool(cell["source"].strip())
        and SKIP_TAG not in cell.get("metadata", {}).get("tags", [])
    )


class Ledger:
    """Writes into the notebook what became of it and of each cell."""

    def __init__(self, notebook: NotebookNode, now: Callable[[], datetime]) -> None:
        self.notebook = notebook
        self._now = now
        self._started: dict[int, datetime] = {}
        self._began: datetime | None = None

    def begin(self) -> None:
        """Forget what earlier executions left, and mark every cell pending."""
        self._began = self._now()
        record = self.notebook.metadata.setdefault("papermill", {})
        record.update(start_time=self._began.isoformat(), end_time=None, duration=None, exception=None)
        for cell in self.notebook.cells:
            if cell.cell_type == "code":
                cell.execution_count = None
                cell.outputs = []
                cell.metadata.pop("jupyter_mlops", None)
            cell.metadata["papermill"] = {
                "exception": None,
                "start_time": None,
                "end_time": None,
                "duration": None,
                "status": PENDING,
            }

    def resume(self, index: int | None = None) -> None:
        """Go on from what the notebook says of itself, and of a cell that had started."""
        if index is None:
            self._began = _moment(self.notebook.metadata["papermill"].get("start_time"))
        else:
            self._started[index] = _moment(self._record(index).get("start_time")) or self._now()

    def cell_started(self, index: int) -> None:
        """The kernel is given this cell."""
        self._started[index] = self._now()
        record = self._record(index)
        record.update(start_time=self._started[index].isoformat(), status=RUNNING, exception=False)

    def cell_ended(self, index: int, *, failed: bool) -> float:
        """This cell ended; returns how long it took, in seconds."""
        now = self._now()
        duration = (now - self._started[index]).total_seconds()
        record = self._record(index)
        record.update(
            end_time=now.isoformat(), duration=duration, status=FAILED if failed else COMPLETED, exception=failed
        )
        return duration

    def passed(self, index: int) -> None:
        """A cell with nothing to execute (text, or empty) was reached."""
        self.cell_started(index)
        self.cell_ended(index, failed=False)

    def end(self, *, failed: bool) -> None:
        """The notebook is done with; where `failed`, it says so whichever cell it was."""
        now = self._now()
        record = self.notebook.metadata["papermill"]
        record["end_time"] = now.isoformat()
        if self._began is not None:
            record["duration"] = (now - self._began).total_seconds()
        if failed:
            record["exception"] = True

    def _record(self, index: int) -> Any:
        return self.notebook.cells[index].metadata["papermill"]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
