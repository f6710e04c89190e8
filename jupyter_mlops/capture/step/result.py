"""Takes a step's result as it stands when the cell ends: what is stored behind the cell's back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.code.inert import PLAIN
from jupyter_mlops.capture import libraries, values
from jupyter_mlops.capture.observe import display
from jupyter_mlops.capture.results.reuse import STATE
from jupyter_mlops.capture.results.saver import Saving
from jupyter_mlops.domain.reason import Reason, ReasonCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_mlops.capture.session.context import KernelContext
    from jupyter_mlops.capture.session.writing import ResultWriting
    from jupyter_mlops.capture.step.outcome import StepOutcome
    from jupyter_mlops.capture.step.record import Recorded


LONG = 0.1
"""Seconds from which on the result of a job's step is written at once: a process may be killed, and it would go on here."""


def keep(
    context: KernelContext,
    writing: ResultWriting,
    record: Recorded,
    outcome: StepOutcome,
    recorder: display.DisplayRecorder | None,
    written: Mapping[str, str],
) -> None:
    """Pack the result and give it to the saver."""
    assert recorder is not None
    try:
        shown = display.encode(recorder.events)
    except (TypeError, ValueError) as error:
        record.cannot_be_kept(Reason(ReasonCode.UNKEPT_DISPLAY, because=str(error)))
        return
    namespace = context.namespace
    known = dict(outcome.known)
    components: list[dict[str, Any]] = []
    for group in outcome.groups:
        names = sorted(group & set(namespace))
        gone = [name for name in names if known[name].lost]
        if gone:
            why = known[gone[0]].lost
            known.update({name: replace(known[name], lost=why) for name in names})
        else:
            components.append({name: namespace[name] for name in names})
    changed = record.step_run.effects.get("libraries", {})
    drawn = list(record.step_run.effects.get("random", {}))
    if changed or drawn:
        state = {"libraries": libraries.library_values(changed), "random": libraries.random_states(drawn)}
        components.append({STATE: state})
    packed = values.pack(components, namespace)
    if STATE in packed.failed:
        record.cannot_be_kept(Reason(ReasonCode.UNKEPT_OPTIONS, because=packed.failed[STATE]))
        return
    for name, why in packed.failed.items():
        known[name] = replace(known[name], lost=why)
    duration = record.step_run.duration or 0.0
    urgent = context.is_job and duration >= LONG
    plain = frozenset(name for (name, *others) in components if not others and type(namespace.get(name)) in PLAIN)
    writing.saver.save(
        Saving(record.step_run.id, record.step_run.key, packed, shown, known, written, urgent=urgent, plain=plain)
    )
    if urgent:
        writing.owe(duration)
