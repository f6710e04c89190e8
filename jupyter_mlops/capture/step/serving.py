"""Whether later cells can do with what a reuse would give, and, where a step ran on the same as before, what hindered it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlops.capture.key.value_facts import first_lost
from jupyter_mlops.capture.results.reuse import in_time, unmet
from jupyter_mlops.domain.reason import Reason, ReasonCode

if TYPE_CHECKING:
    from jupyter_mlops.analysis.pipeline.cells import StepCell
    from jupyter_mlops.capture.session.session import Session
    from jupyter_mlops.domain.step import StepRun

_SHOWN = Reason(ReasonCode.SHOWN_READ)


def lacking(session: Session, step: StepCell, candidate: StepRun) -> Reason | None:
    """What a later cell needs that a reuse of this result would not give: a lost value, the shell's `_`; None for nothing."""
    lost = {name: known for name, known in candidate.known.items() if known.get("lost")}
    before = {name for group in candidate.conditions.shapes for name in group.split(",")}
    shown = bool(candidate.effects.get("result"))
    told = bool(session.view.steps())
    if gone := {name: known for name, known in lost.items() if name in before}:
        return first_lost(gone)  # it was changed in place: its step alone could not make it again
    if not told and (lost or (shown and before)):
        return first_lost(lost) or _SHOWN
    may_read_shown = not told or session.later_shows(step)
    if shown and told and may_read_shown:
        return _SHOWN
    if before and may_read_shown and (session.hydrator.has_shown(before) or session.world.is_in_history(before)):
        return _SHOWN  # what was shown of these values would not change with them
    if not lost or not session.later_reads(step, set(lost)):
        return None
    read = {name: known for name, known in lost.items() if session.later_reads(step, {name})}
    return first_lost(read or lost)


def hindrance(session: Session, step: StepCell, last: StepRun) -> Reason:
    """Why a step runs though it is as it was when it ran last."""
    store = session.store
    source = store.steps.find(last.reused_from or last.id) or last  # what was found out when it was stored stands there
    if source.unrepeatable:
        return source.unrepeatable[0]
    found = unmet(source, session.world) or lacking(session, step, source)
    if found is not None:
        return found
    return Reason(ReasonCode.RESULT_GONE if in_time(source, step.spec, store.now()) else ReasonCode.TOO_OLD)
