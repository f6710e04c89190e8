"""The record of one step run, and why it ran; written behind the cell's back in the order of what happened."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.analysis.pipeline.reasons import differences, reason
from jupyter_mlops.capture.key.examination import Examination
from jupyter_mlops.capture.results.reuse import in_time, unmet
from jupyter_mlops.capture.step import secrecy
from jupyter_mlops.capture.step.outcome import StepOutcome
from jupyter_mlops.capture.step.serving import lacking
from jupyter_mlops.domain.brief import KEPT_ERROR
from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepInput, StepRun
from jupyter_mlops.domain.step_spec import is_cell
from jupyter_mlops.errors import beginning
from jupyter_mlops.store.files.processes import this_process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_mlops.capture.results.reuse import Reuse
    from jupyter_mlops.capture.session.history import CellHistory
    from jupyter_mlops.capture.session.later import LaterReads
    from jupyter_mlops.capture.session.run import RunHandle
    from jupyter_mlops.store.store import Store


class Recorded:
    """One step run as it goes on; `step_run` is what is recorded of it so far."""

    def __init__(
        self, run: RunHandle, history: CellHistory, step: StepCell, examination: Examination, started_at: datetime
    ) -> None:
        self._run = run
        self._history = history
        self._step = step
        self._found = examination
        pid, pid_started = this_process()
        producers = history.producers
        notebook, run_id, position = run.notebook, run.id, history.next_position()
        self.step_run = StepRun(
            id=run.store.new_id(),
            run_id=run_id,
            notebook=notebook,
            step=step.spec.name,
            version=0,  # the index gives out the number
            version_digest=examination.facts.digest,
            position=position,
            status=Status.RUNNING,
            key=examination.key,
            inputs={
                name: StepInput(known.digest, producers.get(name, "")) for name, known in examination.inputs.items()
            },
            ingredients=examination.ingredients,
            unrepeatable=Reasons.of(examination.reasons),
            started_at=started_at,
            cell_id=step.cell.id or None,
            pid=pid,
            pid_started=pid_started,
            extra=_extra(step, examination, producers),
        )

    def start(self, why: Reason) -> None:
        """The step is about to run, for this reason."""
        self.step_run = self.step_run.but(why=why)
        self._record()

    def failed(self, error: BaseException, duration: float) -> None:
        """The step raised."""
        told = beginning(f"{type(error).__name__}: {error}".removesuffix(": "), KEPT_ERROR)
        self._end(
            status=failed_status(error), error=told, duration=duration, unrepeatable=Reasons.of(self._found.reasons)
        )

    def completed(
        self,
        outcome: StepOutcome,
        conditions: Conditions,
        effects: dict[str, Any],
        metrics: dict[str, float],
        duration: float,
    ) -> None:
        """The step ended well."""
        self._end(
            status=Status.COMPLETED,
            outputs=outcome.outputs,
            known={name: known.to_json() for name, known in outcome.known.items()},
            unrepeatable=Reasons.of(outcome.reasons),
            conditions=conditions,
            effects=effects,
            metrics=metrics,
            duration=duration,
        )
        self._add_metrics(metrics)

    def reused(self, reuse: Reuse, metrics: dict[str, float], duration: float) -> None:
        """The step's result was put in place."""
        source = reuse.source
        self.step_run = self.step_run.but(
            status=Status.REUSED,
            outputs=source.outputs,
            known=source.known,
            effects=source.effects,
            files=source.files,
            conditions=source.conditions,
            reused_from=source.reused_from or source.id,
            metrics=metrics,
            why=Reason(ReasonCode.NOTHING_CHANGED),
            duration=duration,
            ended_at=self._run.store.now(),
        )
        self._record()
        self._add_metrics(metrics)

    def cannot_be_kept(self, why: Reason) -> None:
        """The result will not be reused."""
        self.step_run = self.step_run.but(unrepeatable=Reasons.of([why]))
        self._record()

    def _end(self, **told: object) -> None:
        self.step_run = self.step_run.but(ended_at=self._run.store.now(), **told)
        self._record()

    def _record(self) -> None:
        self._history.remember(self.step_run)
        self._run.saver.record(secrecy.cleaned(self.step_run), without_magic(self._step.code))

    def _add_metrics(self, metrics: dict[str, float]) -> None:
        if metrics:
            run, run_id, now = self._run, self.step_run.run_id, self._run.store.now()
            run.saver.do(lambda: run.store.runs.add_metrics(run_id, metrics, now=now))


def why_it_runs(
    store: Store,
    later: LaterReads,
    step: StepCell,
    examination: Examination,
    last: StepRun | None,
    producers: Mapping[str, str],
) -> Reason:
    """Why a step runs that no one forces: what differs from its `last` run, or what hinders that one's reuse.

    `producers` are those of the names it reads: name → step or cell.
    """
    if step.spec.no_cache:
        return Reason(ReasonCode.NO_CACHE)
    if examination.reasons:
        return examination.reasons[0]
    if last is None:
        return Reason(ReasonCode.HAD_NOT_RUN)
    changed = differences(last.ingredients, examination.ingredients)
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


def _extra(step: StepCell, found: Examination, producers: dict[str, str]) -> dict[str, Any]:
    """What else is recorded of a step run; of plain cells only what it read of them (`given`) tells a forecast."""
    spec = step.spec
    given = {name: known.to_json() for name, known in found.inputs.items() if is_cell(producers.get(name, ""))}
    told = {"kind": spec.kind, "repeatable": spec.repeatable, "ttl": spec.ttl, "given": given}
    return {name: value for name, value in told.items() if value}


def without_magic(code: str) -> str:
    """A step's code without what stands for its `%%step` line."""
    first, _, rest = code.partition("\n")
    return rest if first.startswith("# %%step") else code


def failed_status(error: BaseException) -> Status:
    """How a step that raised ended."""
    return Status.CANCELED if isinstance(error, KeyboardInterrupt) else Status.FAILED
