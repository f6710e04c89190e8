"""Whether later cells can do with what a reuse would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlops.capture.key.value_facts import first_lost
from jupyter_mlops.domain.reason import Reason, ReasonCode

if TYPE_CHECKING:
    from jupyter_mlops.analysis.pipeline.cells import StepCell
    from jupyter_mlops.capture.session.later import LaterReads
    from jupyter_mlops.domain.step import StepRun

_SHOWN = Reason(ReasonCode.SHOWN_READ)


def lacking(later: LaterReads, step: StepCell, candidate: StepRun) -> Reason | None:
    """What a later cell needs that a reuse of this result would not give: a lost value, the shell's `_`; None for nothing."""
    lost = {name: known for name, known in candidate.known.items() if known.get("lost")}
    before = {name for group in candidate.conditions.shapes for name in group.split(",")}
    shown = bool(candidate.effects.get("result"))
    told = later.are_known
    if gone := {name: known for name, known in lost.items() if name in before}:
        return first_lost(gone)  # it was changed in place: its step alone could not make it again
    if not told and (lost or (shown and before)):
        return first_lost(lost) or _SHOWN
    may_read_shown = not told or later.may_read_shown(step)
    if shown and told and may_read_shown:
        return _SHOWN
    if before and may_read_shown and later.are_shown(before):
        return _SHOWN  # what was shown of these values would not change with them
    if not lost or not later.may_read(step, set(lost)):
        return None
    read = {name: known for name, known in lost.items() if later.may_read(step, {name})}
    return first_lost(read or lost)
