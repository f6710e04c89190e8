"""A cell of a notebook, and what is wrong with one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """A notebook cell as far as we care: `index` from 0 in the notebook, `kind` "code" | "markdown" | "raw"."""

    index: int
    id: str
    kind: str
    source: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Something wrong in the notebook that the author should mend."""

    message: str
    hint: str
    cell_id: str | None = None
