"""Whether cells read what a cell before them showed: `_`, `Out` and their like."""

from __future__ import annotations

import re
from collections.abc import Iterable

from jupyter_mlops.analysis.code.facts import CodeFacts, cell_facts
from jupyter_mlops.analysis.pipeline.cells import StepCell

_SHOWN = re.compile(r"(?<![\w.])(_{1,3}|Out|_oh|_\d+)(?!\w)")


def reads_shown(steps: Iterable[StepCell]) -> bool:
    """Whether any of these steps names what a cell before showed: `_`, `Out` and their like, also in a text."""
    for step in steps:
        facts = facts_of(step)
        if facts is None:
            continue
        names = facts.names
        if any(_SHOWN.fullmatch(name) for name in (*names.reads, *names.carries)):
            return True
        if (names.everything or names.anything) and any(_SHOWN.search(text) for text in names.strings):
            return True
    return False


def facts_of(step: StepCell) -> CodeFacts | None:
    """The facts of a step's code; None where it is not Python."""
    try:
        return cell_facts(step.code)
    except SyntaxError:
        return None
