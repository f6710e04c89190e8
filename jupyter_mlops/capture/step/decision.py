"""What becomes of a step when its turn comes: it is refused, left out, replaced by a result that there is, or executed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from jupyter_mlops.analysis.code.facts import CodeFacts
from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.capture.key.examination import Examination, examine
from jupyter_mlops.capture.key.step_options import add_asked, contradicted_inputs
from jupyter_mlops.capture.observe import display
from jupyter_mlops.capture.results.reuse import Reuse, conditions_hold, find_reusable, open_if_whole
from jupyter_mlops.capture.session.context import KernelContext
from jupyter_mlops.capture.session.events import AuthorWarned
from jupyter_mlops.capture.session.session import Session
from jupyter_mlops.capture.step.record import Recorded
from jupyter_mlops.capture.step.serving import lacking
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import InputError, MLOpsError


@dataclass(frozen=True)
class StepRefusal:
    """The cell fails with this error before it runs; `effects` are those that its code would have had."""

    error: MLOpsError
    effects: Mapping[str, list[Reason]] = field(default_factory=dict)


@dataclass(frozen=True)
class StepOmission:
    """The cell does nothing."""

    why: Reason


@dataclass(frozen=True)
class StepReplacement:
    """A result is put in place of running; `ahead` is the record of it where this run had it already, beside this kernel."""

    record: Recorded
    reuse: Reuse
    ahead: StepRun | None
    began: float
    """When the step's turn came, by `time.perf_counter`."""


@dataclass(frozen=True)
class StepTurn:
    """The cell runs; `beside` is the work of the notebook that goes on beside it."""

    examination: Examination
    record: Recorded
    beside: str


Decision: TypeAlias = StepRefusal | StepOmission | StepReplacement | StepTurn


def decide(session: Session, step: StepCell, facts: CodeFacts) -> Decision:
    """Decide what becomes of a step of this code now."""
    began = time.perf_counter()
    started_at = session.run.store.now()
    if not session.context.is_job and session.view.steps():
        from jupyter_mlops.capture.restore.recall import missing_names, recall

        missing = missing_names(session.context.world, facts)
        if missing:
            recall(session, step, missing)
    if step.spec.skip or step.spec.skip_if:
        left_out = _left_out(session, step, facts)
        if left_out is not None:
            return left_out
    beside = session.context.beside.users_work
    examination = _examined(session.context, step, facts, beside)
    error = contradicted_inputs(step.spec, examination)
    record = Recorded(session.run, session.history, step, examination, started_at)
    if error is not None:
        return StepRefusal(error, examination.effects)
    search = _ResultSearch(session, step, examination)
    ahead = search.done_ahead()
    if ahead is not None:
        return StepReplacement(record, *ahead, began)
    reuse = search.result()
    return StepTurn(examination, record, beside) if reuse is None else StepReplacement(record, reuse, None, began)


def _left_out(session: Session, step: StepCell, facts: CodeFacts) -> StepRefusal | StepOmission | None:
    from jupyter_mlops.capture.step.skip import skipped

    try:
        why = skipped(session.context.namespace, session.later, step, facts)
    except InputError as error:
        return StepRefusal(error)
    return None if why is None else StepOmission(why)


def _examined(context: KernelContext, step: StepCell, facts: CodeFacts, beside: str) -> Examination:
    found = examine(facts, context.world, context.modules, display_mode=context.display_mode)
    found.reasons += [Reason(ReasonCode.BESIDE, beside)] if beside else []
    return add_asked(found, step)


@dataclass(frozen=True)
class _ResultSearch:
    """Looks for a result that equals what running the step would give, with the files that the step wrote in place."""

    session: Session
    step: StepCell
    found: Examination

    def done_ahead(self) -> tuple[Reuse, StepRun] | None:
        """What this run has executed already in a kernel beside this one: it stands in the record."""
        context, run, examination = self.session.context, self.session.run, self.found
        if not context.task.is_ahead or examination.reasons or not display.can_record(context.shell):
            return None
        for ahead in run.store.steps.runs(run_id=run.id, step=self.step.spec.name):
            if not ahead.status.succeeded or ahead.key != examination.key:
                continue
            source = run.store.steps.run(ahead.reused_from) if ahead.reused_from else ahead
            if source.unrepeatable or source.result is None or not self._serves(source):
                continue
            if not conditions_hold(source, context.world):
                continue
            reuse = self._with_files(open_if_whole(run.store, source))
            if reuse is not None:
                return reuse, ahead
        return None

    def result(self) -> Reuse | None:
        """What the run that this one continues had finished, or any run, unless the step is to run."""
        forced = self.session.policy.forces(self.step.spec.name)
        if forced or not display.can_record(self.session.context.shell):
            return None
        reuse = self._continued()
        if reuse is not None or self.step.spec.no_cache or self.found.reasons:
            return reuse
        return self._of_any_run()

    def _continued(self) -> Reuse | None:
        resumed = self.session.run.resumed
        if resumed is None:
            return None
        return self._with_files(resumed.find(self.found, self.session.context.world, self._serves))

    def _of_any_run(self) -> Reuse | None:
        run, world = self.session.run, self.session.context.world
        if run.saver.is_saving(self.found.key):
            run.writing.drain(30.0)
        return self._with_files(find_reusable(run.store, world, self.found, self.step.spec, self._serves, self._warn))

    def _serves(self, candidate: StepRun) -> bool:
        return lacking(self.session.later, self.step, candidate) is None

    def _with_files(self, reuse: Reuse | None) -> Reuse | None:
        """Put the files in place that the step wrote; where that cannot be, the step runs."""
        if reuse is None or not reuse.source.files:
            return reuse
        from jupyter_mlops.capture.results.files import restore_files

        try:
            restore_files(self.session.run.store.objects, reuse.source.files)
        except MLOpsError as error:
            self._warn(error.message, "The step that wrote it runs again.")
            return None
        return reuse

    def _warn(self, message: str, hint: str) -> None:
        self.session.listener.on_event(AuthorWarned(message, hint))
