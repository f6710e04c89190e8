"""Which cell of a live notebook a step's name belongs to: a name stands once, and no other cell is recorded under it.

A kernel does not see the notebook. It knows the file as it was last saved, which cells ran since and under which names,
and from front ends that say so which cells were deleted. Of each cell the newest of these words counts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.analysis.pipeline.cells import step_of
from jupyter_mlops.capture.session.notebook import NotebookView
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.errors import InputError

_IDS = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
"""Ids as notebooks have them. Some front ends send others, which last until the window is closed."""


@dataclass(frozen=True)
class _Word:
    """What was last said of a cell: the name of the step that it is (None where it is none, or is gone), its code's digest,
    and when, in nanoseconds."""

    name: str | None
    digest: str
    at: int


class Owners:
    """Asked before a cell runs as a step. `recorded` gives the cell that the record knows a step by."""

    def __init__(
        self, view: NotebookView, recorded: Callable[[str], str | None], clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._view = view
        self._recorded = recorded
        self._clock = clock
        self._words: dict[str, _Word] = {}
        self._owners: dict[str, str] = {}
        self._saved: dict[str, _Word] = {}
        """The steps of the file, in its order."""
        self._file: Any = None
        self._deleted: frozenset[str] = frozenset()
        self._tells = False

    def heard(self, metadata: Mapping[str, Any]) -> None:
        """The metadata of a request to run a cell: JupyterLab tells in it which cells were deleted."""
        deleted = metadata.get("deletedCells")
        self._tells = isinstance(deleted, list)
        if not isinstance(deleted, list):
            return
        told = frozenset(item for item in deleted if isinstance(item, str))
        for cell_id in told - self._deleted:  # requests that wait in a row tell of the same ones
            self._words[cell_id] = _Word(None, "", self._clock())
        self._deleted = told

    def claim(self, cell_id: str | None, name: str | None, digest: str) -> InputError | None:
        """A cell is about to run as the step `name`, or as none. The error where the name is another cell's."""
        if cell_id is None:
            return None  # a console, or a front end without ids: the same cell may be run again and again
        if name is not None:
            self._read_file()
        self._words[cell_id] = _Word(name, digest, self._clock())
        if name is None:
            return None
        rivals = self._rivals(cell_id, name, digest)
        if rivals and self._first(cell_id, name, rivals) != cell_id:
            return InputError(
                f"Two steps are named '{name}': this cell was not run, because it would be recorded under the other step.",
                "Step names must be unique in a notebook: rename one of them. If the other cell has been renamed or removed, "
                "save the notebook and run this cell again.",
            )
        self._owners[name] = cell_id
        return None

    def _rivals(self, cell_id: str, name: str, digest: str) -> list[str]:
        """Other cells that are the step `name` too, as far as is known.

        Where no one tells of deletions, one that ran with the very same code may be this cell, cut and pasted.
        """
        comparable = _is_notebooks(cell_id)
        if not comparable and name not in self._owners:
            return self._above(name, digest)
        both_saved = self._is_saved(cell_id, name)
        return [
            other
            for other, word in self._words.items()
            if word.name == name
            and other != cell_id
            and _is_notebooks(other) == comparable
            and (self._tells or word.digest != digest or (both_saved and self._is_saved(other, name)))
        ]

    def _is_saved(self, cell_id: str, name: str) -> bool:
        """Whether the file has this cell as the step `name`."""
        return cell_id in self._saved and self._saved[cell_id].name == name

    def _above(self, name: str, digest: str) -> list[str]:
        """The cells that are the step above the one with this code, in a file whose cells have other ids than they run by."""
        named = {cell_id: word.digest for cell_id, word in self._saved.items() if word.name == name}
        places = list(named.values())
        return list(named)[: places.index(digest)] if digest in places else []

    def _first(self, cell_id: str, name: str, rivals: list[str]) -> str:
        """Which of the cells the name belongs to: the one that ran under it, here or before, else the first in the file."""
        for known in (self._owners.get(name), self._recorded(name)):
            if known in (cell_id, *rivals):
                return str(known)
        return next((other for other in self._saved if other in (cell_id, *rivals)), rivals[0])

    def _read_file(self) -> None:
        cells = self._view.cells()
        if cells is self._file or not cells:
            return
        self._file = cells
        saved_at = self._view.saved_at
        words = {cell.id: _word_of(cell, saved_at) for cell in cells if cell.kind == "code"}
        self._saved = {cell_id: word for cell_id, word in words.items() if word.name is not None}
        codes = {(word.name, word.digest) for word in self._saved.values()}
        for cell_id, word in list(self._words.items()):
            if word.at < saved_at and cell_id not in words and not self._may_be_there(cell_id, word, codes):
                del self._words[cell_id]
        for cell_id, word in words.items():
            if cell_id not in self._words or self._words[cell_id].at < saved_at:
                self._words[cell_id] = word

    @staticmethod
    def _may_be_there(cell_id: str, word: _Word, codes: set[tuple[str | None, str]]) -> bool:
        """Whether a cell that ran before the file was saved may be one of it, though none has its id."""
        return not _is_notebooks(cell_id) and (word.name, word.digest) in codes


def _is_notebooks(cell_id: str) -> bool:
    """Whether an id is one that a notebook's file has."""
    return _IDS.match(cell_id) is not None


def _word_of(cell: Cell, saved_at: int) -> _Word:
    try:
        step = step_of(cell)
        return _Word(None, "", saved_at) if step is None else _Word(step.spec.name, _digest(step.code), saved_at)
    except InputError:
        return _Word(None, "", saved_at)  # it does not run


def _digest(code: str) -> str:
    try:
        return cell_facts(code).digest
    except (SyntaxError, ValueError):
        return ""
