"""The notebook of a run from its journal, as far as it came: the very outputs that its execution would have saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from jupyter_mlops.domain.run import RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.execution.notebook import journal
from jupyter_mlops.execution.notebook.nodes import CellNode, NotebookNode
from jupyter_mlops.execution.notebook.outcome import NotebookOutcome
from jupyter_mlops.execution.notebook.papermill_metadata import COMPLETED, SKIP_TAG, Ledger


@dataclass
class Rebuilt:
    """What a journal tells: the notebook, the cell it was in, the end if it was told, the kernel's and runner's process."""

    notebook: NotebookNode | None = None
    running: int | None = None
    status: Status | None = None
    error: RunFailure | None = None
    kernel: tuple[int, float] | None = None
    host: str = ""
    unsaved: NotebookOutcome | None = None
    """With what end the notebook was to be saved, where it could not be."""
    events_lost: int = 0
    """How many events the disk did not take, so that the notebook misses them."""
    began: datetime | None = None
    """When the execution began, as its notebook says it."""
    at: datetime | None = None
    """When it was last heard of."""


class _Nowhere:
    """Stands for the kernel of an execution that is over: whatever is said to it is not heard."""

    def __init__(self) -> None:
        self.client_factory: object = None
        self.session = self.shell_channel = self

    def msg(self, *_: object, **__: object) -> dict[str, Any]:
        """No message."""
        return {}

    def send(self, *_: object, **__: object) -> None:
        """Say nothing."""


class _Replay:
    """A notebook to which the events of its cells are applied, as the execution applied the messages they were."""

    def __init__(self, notebook: dict[str, Any], now: Callable[[], datetime]) -> None:
        from nbformat import from_dict

        from jupyter_mlops.execution.notebook.cell_client import CellClient

        self.notebook: NotebookNode = from_dict(notebook)
        self.running: int | None = None
        self._ledger = Ledger(self.notebook, now)
        self._ledger.begin()
        nowhere = _Nowhere()
        self._client = CellClient(self.notebook, nowhere, lambda output: None, record_timing=False)
        self._client.kc = nowhere
        self._request = ""
        self._ended: set[int] = set()
        """Cells that have ended: what tasks of theirs say comes later."""

    def apply(self, kind: str, event: dict[str, Any]) -> None:
        """Apply one event, where it is one of a cell."""
        index = event.get("cell")
        if index is None:
            return
        cell = self.notebook.cells[index]
        if kind == journal.PASSED:
            if cell.cell_type != "code" or SKIP_TAG not in cell.metadata.get("tags", []):
                self._ledger.passed(index)
        elif kind == journal.CELL_STARTED:
            self.running = index
            self._client.clear_before_next_output = False
            self._ledger.cell_started(index)
        elif kind == journal.CELL_ENDED:
            self.running = None
            self._ended.add(index)
            self._ledger.cell_ended(index, failed=event["status"] != COMPLETED)
            cell.execution_count = event["execution_count"]
            if event.get("execution"):
                cell.metadata["execution"] = event["execution"]
        else:
            self._message(event, index, cell)

    def _message(self, event: dict[str, Any], index: int, cell: CellNode) -> None:
        self._request = event.get("request", self._request)
        message = journal.message_of(event, self._request)
        if message is not None and index in self._ended:
            self._client.take_late(message, index)
        elif message is not None:
            self._client.process_message(message, cell, index)

    def end(self) -> NotebookNode:
        """All events were applied."""
        self._client.flush_outputs()
        self._client.set_widgets_metadata()
        return self.notebook


class _Reader:
    """Reads the events of a run, one after the other."""

    def __init__(self) -> None:
        self.found = Rebuilt()
        self._replay: _Replay | None = None

    def read(self, event: dict[str, Any]) -> None:
        """Take one event."""
        rebuilt, kind = self.found, event["event"]
        rebuilt.at = datetime.fromisoformat(event["at"])
        if kind == journal.RUN_STARTED:
            rebuilt.host = event.get("host", "")
        elif kind == journal.KERNEL_STARTED and event.get("pid"):
            rebuilt.kernel = event["pid"], event.get("pid_started") or 0.0
        elif kind == journal.NOTEBOOK:
            rebuilt.began = began_of(event["notebook"])
            self._replay = _Replay(event["notebook"], self._now)
        elif kind == journal.RUN_ENDED:
            rebuilt.status = Status(event["status"])
            rebuilt.error = _error(event)
            rebuilt.events_lost = event.get("events_lost", 0)
            if event.get("unsaved"):
                told = event["unsaved"]
                rebuilt.unsaved = NotebookOutcome(Status(told["status"]), _error(told), told["hint"])
        elif self._replay is not None:
            self._replay.apply(kind, event)

    def _now(self) -> datetime:
        assert self.found.at is not None
        return self.found.at

    def end(self) -> Rebuilt:
        """All events were read."""
        if self._replay is not None:
            self.found.notebook, self.found.running = self._replay.end(), self._replay.running
        return self.found


def began_of(notebook: dict[str, Any]) -> datetime | None:
    """When the execution of a notebook began, by papermill's record in it; None where there is none."""
    text = notebook.get("metadata", {}).get("papermill", {}).get("start_time")
    found = None if text is None else datetime.fromisoformat(text)
    # Older releases of papermill wrote UTC without saying so.
    return found if found is None or found.tzinfo is not None else found.replace(tzinfo=timezone.utc)


def _error(told: dict[str, Any]) -> RunFailure | None:
    return RunFailure(**told["error"]) if told.get("error") else None


def rebuild(events: Iterable[dict[str, Any]]) -> Rebuilt:
    """What the events of a run tell. `notebook` is None where the kernel was given none."""
    reader = _Reader()
    for event in events:
        reader.read(event)
    return reader.end()
