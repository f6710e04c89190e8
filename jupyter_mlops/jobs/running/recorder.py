"""Keeps the Run row true while a notebook is executed, and tells whoever watches: the only link from jobs to the store."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_mlops import tracking
from jupyter_mlops.analysis.pipeline.cells import cells_of, steps_of
from jupyter_mlops.capture.observe.display import METADATA
from jupyter_mlops.domain.lines import lines_of
from jupyter_mlops.domain.run import Progress, Run, RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import MLOpsError, StoreError
from jupyter_mlops.execution.engine.stop import in_event_loop
from jupyter_mlops.execution.notebook.events import (
    CellEnded,
    CellStarted,
    ExecutionEvent,
    ExecutionListener,
    ExecutionStarted,
    KernelStarted,
    Warned,
)
from jupyter_mlops.execution.notebook.journal import JournalWriter
from jupyter_mlops.execution.notebook.nodes import CellNode, NotebookNode
from jupyter_mlops.execution.notebook.outcome import NotebookOutcome, of_open_steps
from jupyter_mlops.execution.notebook.papermill_metadata import is_executed
from jupyter_mlops.jobs.notices import delivery
from jupyter_mlops.jobs.running import events
from jupyter_mlops.jobs.running.events import RunEvent
from jupyter_mlops.jobs.running.span import chosen_cells
from jupyter_mlops.store.project.provenance import git_tags, keep_environment
from jupyter_mlops.store.store import Store

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5
"""Progress within steps of less than this is not written to the index each time."""

PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Between two tries to write how a run ended into an index that cannot be written."""


class Recorder:
    """A listener of an execution that works for the run `run`."""

    def __init__(self, store: Store, run: Run, on_event: events.OnEvent | None = None) -> None:
        self.store = store
        self.run = run
        self._on_event = on_event or (lambda event: None)
        self._steps: dict[int, str] = {}
        self._labels: dict[int, str] = {}
        self._done = 0
        self._ended_well: dict[str, float] = {}
        """The ids of cells that completed, and how many seconds each took."""
        self._total = 0
        self._told = 0.0
        self._step: str | None = None
        self._later: threading.Timer | None = None
        self._telling = threading.Lock()
        self._is_over = False
        self._describing: threading.Thread | None = None
        self._cells: list[CellNode] = []
        self._has_begun = False
        self._tagging = threading.Lock()
        self._journal: JournalWriter | None = None

    @property
    def listeners(self) -> list[ExecutionListener]:
        """Who works for the run while it is executed: its journal is written before anything else is done."""
        return [self] if self._journal is None else [self._journal, self]

    def begin(self) -> bool:
        """Take the run for this process. False where another has it, or it has ended. A worker has claimed its runs."""
        if self.run.worker_id is None:
            if not self.store.runs.start(self.run.id, now=self.store.now()):
                return False
            if threading.current_thread() is not threading.main_thread() or in_event_loop():
                # Such as papermill called from a cell: a signal would end that cell's kernel.
                self.store.runs.update(self.run.id, in_shared_process=True)
            self._refresh()
        try:
            self._journal = JournalWriter(self.store.journals.open(self.run.id), self.run)
        except StoreError as error:
            self.fail(error)
            raise
        self._tell(RunEvent(events.RUN_STARTED, run=self.run))
        return True

    def describe(self, folder: Path, *, environment: bool) -> None:
        """Record git state and environment beside the kernel's start; they are in the index before the run ends."""

        def find() -> None:
            values = {}
            try:
                if environment:
                    values["environment"] = keep_environment(self.store.objects)
            except StoreError as error:
                logger.warning("Run %s: its environment is not recorded: %s", self.run.number, error.message)
            self._tag(git_tags(folder), told_at=self.store.now(), **values)

        self._describing = threading.Thread(target=find, name="mlops-describe", daemon=True)
        self._describing.start()

    def keep_environment(self, found: dict[str, Any] | None) -> None:
        """Record the environment that a kernel of another interpreter told of."""
        if found is not None:
            name = self.store.objects.put(json.dumps(found, indent=1).encode())
            self._update(environment=name, told_at=self.store.now())

    def end(self, outcome: NotebookOutcome) -> Run:
        """Record how the run ended; returns it as stored."""
        with self._telling:
            self._is_over = True
        if self._later is not None:
            self._later.cancel()
        if self._describing is not None:
            self._describing.join()
        error = outcome.error
        if error is not None and error.cell_index is not None:
            error = replace(error, step=self._steps.get(error.cell_index))
        if self._journal is not None:
            self._journal.ended(outcome, error)
            if outcome.unsaved is not None:
                self.store.journals.owe(self.run.id, self.store.now())
        if outcome.ended_early:
            self._tag({"ended_early": outcome.ended_early})
        self._persist(lambda: self._finish(outcome.status, error))
        if self._journal is not None:
            self._journal.journal.close()
        self._refresh()
        tracking.wake(self.store.root)
        if self.run.options.notify:
            delivery.wake(self.store)
        self._tell(RunEvent(events.RUN_ENDED, run=self.run))
        return self.run

    def _finish(self, status: Status, error: RunFailure | None) -> None:
        now = self.store.now()
        steps, well = of_open_steps(status, error), self._ended_well
        progress = Progress(self._done, self._total)
        self.store.runs.finish(
            self.run.id, status, now=now, error=error, steps=steps, ended_well=well, progress=progress
        )

    def _persist(self, write: Callable[[], None]) -> None:
        """Write what must not be lost, also where others fill the disk: what the journal had set aside is free by now."""
        for pause in PAUSES:
            try:
                return write()
            except StoreError as error:
                logger.warning("Run %s: %s %s", self.run.number, error.message, error.hint)
                time.sleep(pause)
        return write()

    def fail(self, error: BaseException) -> Run:
        """Record that the run ended by a fault outside the notebook's cells."""
        cause = "runner_lost" if self._total else "not_started"
        if isinstance(error, StoreError):
            outcome = NotebookOutcome(Status.FAILED, RunFailure("not_saved", error.message), error.hint)
            return self.end(replace(outcome, unsaved=outcome))
        if isinstance(error, MLOpsError):
            return self.end(NotebookOutcome(Status.FAILED, RunFailure(cause, error.message), error.hint))
        if isinstance(error, KeyboardInterrupt):
            return self.end(NotebookOutcome(Status.CANCELED, RunFailure("interrupted", "Interrupted (SIGINT).")))
        name = type(error).__name__
        return self.end(
            NotebookOutcome(Status.FAILED, RunFailure(cause, f"{name}: {error}", ename=name, evalue=str(error)))
        )

    def on_event(self, event: ExecutionEvent) -> None:
        """Record and tell what the execution tells."""
        match event:
            case ExecutionStarted(notebook):
                self._started(notebook)
            case KernelStarted(kind, why):
                self._kernel_started(kind, why)
            case CellStarted(index):
                step = self._steps.get(index)
                self._progress(step, always=step is not None)
                self._tell(RunEvent(events.CELL_STARTED, cell_index=index, step=step, label=self._label(index)))
            case CellEnded(index, failed, duration):
                self._cell_ended(index, failed, duration)
            case Warned(message, hint):
                self.warn(message, hint)

    def _started(self, notebook: NotebookNode) -> None:
        cells = cells_of(notebook)
        steps, _ = steps_of(cells)
        self._steps = {step.cell.index: step.spec.name for step in steps}
        self._labels = {cell.index: first_line(cell.source) for cell in cells}
        self._cells, self._has_begun = notebook.cells, True
        chosen = chosen_cells(notebook, self.run.options)
        places = range(len(notebook.cells)) if chosen is None else chosen
        self._total = sum(is_executed(notebook.cells[index]) for index in places)
        tracking.wake(self.store.root)

    def _kernel_started(self, kind: str, why: str) -> None:
        """Record which kind of kernel executes the run, why that one, and how many cells there are."""
        self._told = time.monotonic()
        progress = Progress(self._done, self._total)
        self._tag({"kernel_kind": kind, **({"kernel_why": why} if why else {})}, progress=progress)

    def _cell_ended(self, index: int, failed: bool, duration: float) -> None:
        self._done += not failed
        if not failed:
            self._ended_well[str(self._cells[index].get("id"))] = duration
        step = self._steps.get(index)
        state = "failed" if failed else self._state_of(index)
        told = RunEvent(
            events.CELL_ENDED, cell_index=index, step=step, label=self._label(index), state=state, duration=duration
        )
        self._tell(told)

    def warn(self, message: str, hint: str) -> None:
        """Log a warning, and tell it to whoever watches."""
        logger.warning("%s %s", message, hint)
        if not self._has_begun and self._journal is not None:
            # From outside the execution, which is yet to begin.
            self._journal.on_event(Warned(message, hint))
        self._tell(RunEvent(events.WARNING, message=message, hint=hint))

    def _label(self, index: int) -> str:
        return self._steps.get(index) or self._labels.get(index, "")

    def _state_of(self, index: int) -> str:
        """What the kernel noted of the cell: "reused", else "executed"."""
        return str(self._cells[index].metadata.get(METADATA, {}).get("status", "executed"))

    def _progress(self, step: str | None, *, always: bool) -> None:
        self._step = step
        if always or time.monotonic() - self._told >= PROGRESS_SECONDS:
            self._told = time.monotonic()
            self._update(progress=Progress(self._done, self._total, step))
        elif self._later is None:
            # Where no next cell comes soon, this one is told all the same.
            self._later = threading.Timer(PROGRESS_SECONDS, self._tell_progress)
            self._later.daemon = True
            self._later.start()

    def _tell_progress(self) -> None:
        with self._telling:
            self._later = None
            if not self._is_over:
                self._progress(self._step, always=True)

    def _tag(self, tags: dict[str, str], **values: Any) -> None:
        with self._tagging:
            self.run = replace(self.run, tags={**self.run.tags, **tags})
            self._update(tags=self.run.tags, **values)

    def _update(self, **values: Any) -> None:
        try:
            self.store.runs.update(self.run.id, **values)
        except StoreError as error:
            # A picture of the run, not its truth: how it ended is recorded without this net.
            logger.warning("Run %s: %s %s", self.run.number, error.message, error.hint)

    def _refresh(self) -> None:
        self.run = self.store.runs.get(self.run.id)

    def _tell(self, event: RunEvent) -> None:
        self._on_event(replace(event, cells_done=self._done, cells_total=self._total))


def first_line(source: str) -> str:
    """The first line of a cell that says something."""
    comment = ""
    for line in map(str.strip, lines_of(source)):
        if line and not line.startswith("%%step"):
            if not line.startswith("#"):
                return line
            comment = comment or line
    return comment
