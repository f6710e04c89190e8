"""A trap: a notebook, one edit of it, and which cells run the second time."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Cells = list[dict[str, Any]]


@dataclass(frozen=True)
class Trap:
    """Cells are divided by lines of `---` and counted from 0, as they stood before the edit."""

    name: str
    notebook: str
    change: Mapping[int, str | None] = field(default_factory=dict)
    """The edit: cell → its code the second time; None: deleted."""
    insert: Mapping[int, str] = field(default_factory=dict)
    """Cell → code of a new cell before it the second time. The numbers of new cells are 100, 101, ..."""
    order: tuple[int, ...] = ()
    """The cells the second time, in this order."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files of the project before the first time."""
    edited: Mapping[str, str | None] = field(default_factory=dict)
    """Files as they are before the second time; None: removed."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables the second time; the first time each is "first"."""
    tags: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    runs: frozenset[int] | set[int] = frozenset()
    """Cells that must run the second time (and changed or new ones may)."""
    may: frozenset[int] | set[int] = frozenset()
    """Cells that may run the second time."""
    always: frozenset[int] | set[int] = frozenset()
    """Cells that must run every time."""
    maybe: frozenset[int] | set[int] = frozenset()
    """Cells that may run every time: there is no harm in it."""
    live: frozenset[int] | set[int] = frozenset()
    """Cells that may run a second time in the same kernel, which others have no reason to."""

    def first(self) -> Cells:
        """The cells the first time."""
        return [self._cell(index, code) for index, code in enumerate(codes(self.notebook))]

    def second(self) -> Cells:
        """The cells after the edit."""
        cells = self.first()
        result = []
        for index in self.order or range(len(cells)):
            for number, (place, new) in enumerate(self.insert.items()):
                if place == index:
                    result.append(self._cell(100 + number, textwrap.dedent(new).strip("\n")))
            code = self.change.get(index, cells[index]["code"])
            if code is not None:
                result.append(self._cell(index, textwrap.dedent(code).strip("\n")))
        return result

    def _cell(self, index: int, code: str) -> dict[str, Any]:
        return {"id": f"c{index}", "code": code, "tags": list(self.tags.get(index, ()))}

    @property
    def anywhere(self) -> set[int]:
        """Cells that may run even where nothing changed."""
        return {*self.always, *self.maybe}

    @property
    def allowed(self) -> set[int]:
        """Cells that may run after the edit."""
        new = range(100, 100 + len(self.insert))
        return {*self.anywhere, *self.runs, *self.may, *self.change, *new}


def codes(notebook: str) -> list[str]:
    """The code of each cell."""
    return [cell.strip("\n") for cell in textwrap.dedent(notebook).split("---\n")]
