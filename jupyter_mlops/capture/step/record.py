"""The record of one step run, written behind the cell's back in the order of what happened."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.analysis.pipeline.reasons import differences, reason
from jupyter_mlops.capture.key.examination import Examination
from jupyter_mlops.capture.step import secrecy
from jupyter_mlops.capture.step.outcome import StepOutcome
from jupyter_mlops.capture.step.serving import hindrance
from jupyter_mlops.domain.brief import KEPT_ERROR
from jupyter_mlops.domain.reason import Reason, ReasonCode, Reasons
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepInput, StepRun, is_cell
from jupyter_mlops.errors import beginning
from jupyter_mlops.store.files.processes import this_process

if TYPE_CHECKING:
    from jupyter_mlops.capture.results.reuse import Reuse
    from jupyter_mlops.capture.session.session import Session


class Recorded:
    """One step run as it goes on; `step_run` is what is recorded of it so far."""

    def __init__(self, session: Session, step: StepCell, found: Examination, started_at: datetime) -> None:
        self._session = session
        self._step = step
        self._found = found
        pid, pid_started = this_process()
        producers = session.producers
        notebook, run_id, position = session.notebook, session.run_id, session.next_position()
        self.step_run = StepRun(
            id=session.store.new_id(),
            run_id=run_id,
            notebook=notebook,
            step=step.spec.name,
            version=0,  # the index gives out the number
            version_digest=found.facts.digest,
            position=position,
            status=Status.RUNNING,
            key=found.key,
            inputs={name: StepInput(known.digest, producers.get(name, "")) for name, known in found.inputs.items()},
            ingredients=found.ingredients,
            unrepeatable=Reasons.of(found.reasons),
            started_at=started_at,
            cell_id=step.cell.id or None,
            pid=pid,
            pid_started=pid_started,
            extra=_extra(step, found, producers),
        )

    def start(self) -> None:
        """The step is about to run."""
        self._why(self._producers())
        self._record()

    def _producers(self) -> dict[str, str]:
        return dict(self._session.producers)

    def _why(self, producers: dict[str, str]) -> None:
        session, step_run = self._session, self.step_run
        if session.forces(self._step.spec.name):
            why = Reason(ReasonCode.FORCED)
        else:
            last = session.last_of(step_run.notebook, step_run.step)
            why = _why(session, self._step, self._found, last, producers)
        self.step_run = step_run.but(why=why)

    def failed(self, error: BaseException, duration: float) -> None:
        """The step raised."""
        told = beginning(f"{type(error).__name__}: {error}", KEPT_ERROR)
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
        session = self._session
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
            ended_at=session.store.now(),
        )
        self._record()
        self._add_metrics(metrics)

    def cannot_be_kept(self, why: Reason) -> None:
        """The result will not be reused."""
        self.step_run = self.step_run.but(unrepeatable=Reasons.of([why]))
        self._record()

    def _end(self, **told: Any) -> None:
        self.step_run = self.step_run.but(ended_at=self._session.store.now(), **told)
        self._record()

    def _record(self) -> None:
        self._session.remember_last(self.step_run)
        self._session.saver.record(secrecy.cleaned(self.step_run), without_magic(self._step.code))

    def _add_metrics(self, metrics: dict[str, float]) -> None:
        if metrics:
            session, run_id, now = self._session, self.step_run.run_id, self._session.store.now()
            session.saver.do(lambda: session.store.runs.add_metrics(run_id, metrics, now=now))


def _why(
    session: Session, step: StepCell, found: Examination, last: StepRun | None, producers: dict[str, str]
) -> Reason:
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
    return hindrance(session, step, last)


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
