"""What an execution writes into its run's journal: enough to build its notebook again, and to say how it ended.

Events in order: run_started, notebook (as the kernel is given it), kernel_started, then for each cell passed or
cell_started, input, output | overflow | update_display | clear_output | note | comm ..., cell_ended; warning anywhere;
interrupted, failed or killed; run_ended. Outputs have nbformat's form.
"""

from __future__ import annotations

import base64
import contextlib
import socket
from dataclasses import asdict
from typing import Any

from jupyter_mlops.capture.observe.display import METADATA, NOTE
from jupyter_mlops.domain.run import Run, RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.execution.notebook.events import (
    CellEnded,
    CellPassed,
    CellStarted,
    ExecutionEvent,
    ExecutionStarted,
    KernelMessage,
    KernelStarted,
    Warned,
)
from jupyter_mlops.execution.notebook.nodes import CellNode, Message
from jupyter_mlops.execution.notebook.outcome import NotebookOutcome
from jupyter_mlops.execution.notebook.overflow import read_piece
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.files.journals import Journal

RUN_STARTED = "run_started"
NOTEBOOK = "notebook"
KERNEL_STARTED = "kernel_started"
CELL_STARTED = "cell_started"
PASSED = "passed"
INPUT = "input"
OUTPUT = "output"
OVERFLOW = "overflow"
UPDATE_DISPLAY = "update_display"
CLEAR_OUTPUT = "clear_output"
NOTED = "note"
COMM = "comm"
CELL_ENDED = "cell_ended"
WARNING = "warning"
INTERRUPTED = "interrupted"
FAILED = "failed"
KILLED = "killed"
RUN_ENDED = "run_ended"

_OUTPUTS = {
    "stream": ("name", "text"),
    "display_data": ("data", "metadata"),
    "execute_result": ("data", "metadata", "execution_count"),
    "error": ("ename", "evalue", "traceback"),
}


class JournalWriter:
    """A listener of an execution that writes the journal of its run."""

    def __init__(self, journal: Journal, run: Run) -> None:
        self.journal = journal
        self._cells: list[CellNode] = []
        pid, started = processes.this_process()
        self.journal.write(
            RUN_STARTED,
            run=run.id,
            number=run.number,
            notebook=run.notebook,
            attempt=run.attempt,
            resumes=run.resumes,
            pid=pid,
            pid_started=started,
            host=socket.gethostname(),
        )

    def on_event(self, event: ExecutionEvent) -> None:
        """Write the event down. What is displayed is written as the kernel's message that says so."""
        match event:
            case ExecutionStarted(notebook):
                self._cells = notebook.cells
                self.journal.write(NOTEBOOK, notebook=notebook)
            case KernelStarted(kind, why, pid):
                started = processes.start_of(pid) if pid is not None else None
                self.journal.write(KERNEL_STARTED, kind=kind, why=why, pid=pid, pid_started=started)
            case CellPassed(index):
                self.journal.write(PASSED, cell=index)
            case CellStarted(index):
                self.journal.write(CELL_STARTED, cell=index, id=self._cells[index].get("id"))
            case KernelMessage(index, message):
                told = event_of(message)
                if told is not None:
                    self.journal.write(cell=index, **told)
            case CellEnded():
                self._cell_ended(event)
            case Warned(message, hint):
                self.journal.write(WARNING, message=message, hint=hint)

    def _cell_ended(self, event: CellEnded) -> None:
        cell = self._cells[event.index]
        noted = cell.metadata.get(METADATA, {})
        self.journal.write(
            CELL_ENDED,
            cell=event.index,
            status="failed" if event.failed else "completed",
            duration=event.duration,
            execution_count=cell.execution_count,
            reused=noted.get("status") == Status.REUSED.value,
            execution=cell.metadata.get("execution"),
        )

    def ended(self, outcome: NotebookOutcome, error: RunFailure | None) -> None:
        """Write why it ended, where not well, and that it did; the journal is then proof against a power cut."""
        self.journal.make_room()
        if error is not None:
            told = asdict(error)
            if error.cause in ("canceled", "interrupted"):
                self.journal.write(INTERRUPTED, error=told)
            elif error.signal or error.cause == "out_of_memory":
                self.journal.write(KILLED, error=told)
            else:
                self.journal.write(FAILED, error=told)
        self.journal.write(
            RUN_ENDED,
            status=outcome.status.value,
            error=None if error is None else asdict(error),
            events_lost=self.journal.lost,
            unsaved=_told(outcome.unsaved),
        )
        self.journal.sync()


def _told(outcome: NotebookOutcome | None) -> dict[str, Any] | None:
    if outcome is None:
        return None
    error = None if outcome.error is None else asdict(outcome.error)
    return {"status": outcome.status.value, "error": error, "hint": outcome.hint}


def event_of(message: Message) -> dict[str, Any] | None:
    """The event that a kernel's message becomes; None where it changes nothing in a notebook."""
    kind, content = message["msg_type"], message["content"]
    if kind == "execute_input":
        return {
            "event": INPUT,
            "execution_count": content.get("execution_count"),
            "request": message["parent_header"].get("msg_id"),
        }
    if kind == "display_data" and NOTE in content.get("data", {}):
        return {"event": NOTED, "note": content["data"][NOTE]}
    told = message.get("overflow")
    if told and "size" in told:
        return {"event": OVERFLOW, "name": content["name"], **told}  # the text itself is in the file that it names
    if kind in _OUTPUTS:
        output = {name: content[name] for name in _OUTPUTS[kind] if name in content}
        more = {"overflow": told} if told else _display_id(content)
        return {"event": OUTPUT, "output": {"output_type": kind, **output}, **more}
    if kind == "update_display_data":
        shown = {"data": content.get("data", {}), "metadata": content.get("metadata", {})}
        return {"event": UPDATE_DISPLAY, **shown, **_display_id(content)}
    if kind == "clear_output":
        return {"event": CLEAR_OUTPUT, "wait": bool(content.get("wait"))}
    if kind.startswith("comm"):
        buffers = [base64.b64encode(buffer).decode("ascii") for buffer in message.get("buffers") or ()]
        return {"event": COMM, "type": kind, "content": content, **({"buffers": buffers} if buffers else {})}
    return None


def _display_id(content: dict[str, Any]) -> dict[str, str]:
    transient = content.get("transient") or {}
    return {"display_id": transient["display_id"]} if transient.get("display_id") else {}


def message_of(event: dict[str, Any], request: str) -> dict[str, Any] | None:
    """The kernel's message that became this event, as far as a notebook is concerned; None for other events."""
    kind, content = "", {}
    if event["event"] == INPUT:
        kind, content = "execute_input", {"execution_count": event["execution_count"]}
    elif event["event"] == NOTED:
        kind, content = "display_data", {"data": {NOTE: event["note"]}, "metadata": {}}
    elif event["event"] == OUTPUT:
        content = dict(event["output"])
        kind = content.pop("output_type")
    elif event["event"] == OVERFLOW:
        kind, content = "stream", {"name": event["name"], "text": read_piece(event)}
    elif event["event"] == UPDATE_DISPLAY:
        kind, content = "update_display_data", {"data": event["data"], "metadata": event["metadata"]}
    elif event["event"] == CLEAR_OUTPUT:
        kind, content = "clear_output", {"wait": event["wait"]}
    elif event["event"] == COMM:
        kind, content = event["type"], event["content"]
    if not kind:
        return None
    if "display_id" in event:
        content = {**content, "transient": {"display_id": event["display_id"]}}
    return {
        "msg_type": kind,
        "header": {"msg_type": kind, "msg_id": ""},
        "parent_header": {"msg_id": request},
        "metadata": {},
        "content": content,
        "buffers": _buffers(event),
        "overflow": event if event["event"] == OVERFLOW else event.get("overflow"),
    }


def _buffers(event: dict[str, Any]) -> list[bytes]:
    found: list[bytes] = []
    with contextlib.suppress(ValueError):
        found = [base64.b64decode(text) for text in event.get("buffers", ())]
    return found
