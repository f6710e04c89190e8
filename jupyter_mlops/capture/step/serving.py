"""Whether later cells can do with what a reuse would give; and why a step runs, and is not reused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlops.analysis.pipeline.reasons import differences, reason
from jupyter_mlops.capture.key.value_facts import first_lost
from jupyter_mlops.capture.results.reuse import in_time, unmet
from jupyter_mlops.domain.reason import Reason, ReasonCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_mlops.analysis.pipeline.cells import StepCell
    from jupyter_mlops.capture.key.examination import Examination
    from jupyter_mlops.capture.session.later import LaterReads
    from jupyter_mlops.domain.step import StepRun
    from jupyter_mlops.store.store import Store

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


def why_it_runs(
    store: Store,
    later: LaterReads,
    step: StepCell,
    found: Examination,
    last: StepRun | None,
    producers: Mapping[str, str],
) -> Reason:
    """Why a step runs that no one forces: what differs from its `last` run, or what hinders that one's reuse.

    `producers` are those of the names it reads: name → step or cell.
    """
    if step.spec.no_cache:
        return Reason(ReasonCode.NO_CACHE)
    if found.reasons:
        return found.reasons[0]
    if last is None:
        return Reason(ReasonCode.HAD_NOT_RUN)
    changed = differences(last.ingredients, found.ingredients)
    if changed:
        return reason(changed[0], producers)
    if not last.status.succeeded:
        return Reason(ReasonCode.ENDED, last.status.value)
    if last.unrepeatable:
        return last.unrepeatable[0]
    return _hindrance(store, later, step, last)


def _hindrance(store: Store, later: LaterReads, step: StepCell, last: StepRun) -> Reason:
    """Why a step runs though it is as it was when it ran last."""
    source = store.steps.find(last.reused_from or last.id) or last  # what was found out when it was stored stands there
    if source.unrepeatable:
        return source.unrepeatable[0]
    found = unmet(source, later.world) or lacking(later, step, source)
    if found is not None:
        return found
    return Reason(ReasonCode.RESULT_GONE if in_time(source, step.spec, store.now()) else ReasonCode.TOO_OLD)
