"""Which cells a run executes that was asked for a part of its notebook only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_mlops.analysis.pipeline.cells import all_steps_of, cells_of
from jupyter_mlops.analysis.pipeline.span import span, whole_span
from jupyter_mlops.domain.run import RunOptions


def chosen_cells(notebook: Mapping[str, Any], options: RunOptions) -> frozenset[int] | None:
    """Places of the cells from `options.first` to `options.last`, and of those above that they need; None for all.

    Raises `UnknownNameError` for a step there is not.
    """
    first, last = (options.only, options.only) if options.only else (options.first, options.last)
    if first is None and last is None:
        return None
    steps, _ = all_steps_of(cells_of(notebook))
    start, end = span([step.spec.name for step in steps], first, last)
    return frozenset(step.cell.index for step in whole_span(steps, start, end))
