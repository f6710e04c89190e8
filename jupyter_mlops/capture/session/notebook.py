"""The notebook that a kernel works for, as its file (or the job's copy of it) shows it: cells, their tags and names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.code.facts import CodeFacts
from jupyter_mlops.analysis.pipeline.cells import StepCell, all_steps_of, cells_of, tags_of
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.json_text import loads
from jupyter_mlops.errors import MLOpsError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell

    from jupyter_mlops.capture.session.context import KernelContext
    from jupyter_mlops.capture.session.run import RunHandle

log = logging.getLogger(__name__)


class NotebookView:
    """Reads the notebook when it is asked for, and again when the file has changed."""

    def __init__(self, context: KernelContext, run: RunHandle) -> None:
        self._context = context
        self._run = run
        self._read: tuple[Any, tuple[Cell, ...]] = (None, ())
        self._looked = False
        self._named: tuple[Any, tuple[StepCell, ...]] = (None, ())

    def cells(self) -> tuple[Cell, ...]:
        """The cells as last saved; none where there is no notebook, or it cannot be read now."""
        if self._context.is_job:
            if self._read[0] is None:
                self._read = ("job", self._job_cells())
            return self._read[1]
        path = self._context.notebook_path
        if path is None:
            return ()
        if self._looked:
            return self._read[1]
        state = _modified(path)
        if state != self._read[0]:
            try:
                self._read = (state, cells_of(loads(path.read_bytes())))
            except (OSError, ValueError, MLOpsError) as error:
                log.debug("the cells of %s cannot be read: %s", path, error)
                return ()  # it may be half written: not remembered, so that the next question looks again
        self._looked = True
        return self._read[1]

    @property
    def saved_at(self) -> int:
        """When the file was last saved, as it was last read, in nanoseconds; 0 where there is none."""
        state = self._read[0]
        return state[0] if isinstance(state, tuple) else 0

    def look_again(self) -> None:
        """A cell begins or ends: the file may have been saved since."""
        self._looked = False

    def _job_cells(self) -> tuple[Cell, ...]:
        store = self._run.store
        name = store.runs.get(self._run.id).notebook_object
        if name is None:
            return ()
        try:
            return cells_of(loads(store.objects.get(name)))
        except (ValueError, MLOpsError) as error:
            log.debug("the cells of this run cannot be read: %s", error)
            return ()

    def steps(self) -> tuple[StepCell, ...]:
        """All its code cells as steps, named or not."""
        cells = self.cells()
        if self._named[0] is not cells:
            self._named = (cells, all_steps_of(cells)[0])
        return self._named[1]

    def tags(self, cell_id: str | None) -> tuple[str, ...]:
        """The tags of a cell."""
        return next((cell.tags for cell in self.cells() if cell.id == cell_id), ())

    def step_name(self, cell_id: str | None, facts: CodeFacts) -> str:
        """The name of a cell that no one named."""
        for step in self.steps():
            if step.cell.id == cell_id and not step.spec.named:
                return step.spec.name
        return f"cell@{(cell_id or facts.digest)[:8]}"

    def place(self, step: StepCell) -> int:
        """Which of `steps` it is, from 0; -1 where it is not found, so that all may come after it."""
        steps = self.steps()
        for place, other in enumerate(steps):
            if (step.cell.id and other.cell.id == step.cell.id) or other.spec.name == step.spec.name:
                return place
        return next((place for place, other in enumerate(steps) if other.code.strip() == step.code.strip()), -1)


def parent_metadata(shell: InteractiveShell) -> dict[str, Any]:
    """The metadata of the request that is being answered."""
    get_parent = getattr(getattr(shell, "kernel", None), "get_parent", dict)
    parent: dict[str, Any] = get_parent() or {}
    sent = parent.get("metadata")
    return sent if isinstance(sent, dict) else {}


def sent_metadata(info: ExecutionInfo, shell: InteractiveShell) -> dict[str, Any]:
    """The metadata of the request that a cell runs by; nothing for a cell that another cell runs."""
    sent = getattr(info, "cell_meta", None)
    if isinstance(sent, dict) and sent:
        return sent
    sent = parent_metadata(shell)
    return sent if sent.get("cellId", info.cell_id) == info.cell_id else {}


def sent_tags(sent: Mapping[str, Any]) -> tuple[tuple[str, ...] | None, str]:
    """What was sent with a cell: its tags (None where nothing was sent) and its name.

    The engine sends both as `mlops`. JupyterLab and its like send the cell's own metadata, as it stands in the editor.
    """
    mlops = sent.get("mlops")
    if isinstance(mlops, dict) and isinstance(mlops.get("tags"), list):
        return tags_of({"tags": mlops["tags"]}), str(mlops.get("name", ""))
    if isinstance(sent.get("tags"), list) or "deletedCells" in sent:
        return tags_of(sent), ""
    return None, ""


def sent_position(shell: InteractiveShell) -> int | None:
    """The place that the engine gave the running cell in its notebook; None where it gave none."""
    sent = parent_metadata(shell).get("mlops")
    return sent.get("position") if isinstance(sent, dict) else None


def _modified(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size
