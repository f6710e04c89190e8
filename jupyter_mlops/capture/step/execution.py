"""One step, from its turn until it has ended: decided, then watched and concluded, or replaced by a result that there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jupyter_mlops.analysis.code.facts import CodeFacts
from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.capture.session.events import StepSkipped, StepStarted
from jupyter_mlops.capture.session.session import Session
from jupyter_mlops.capture.step.conclusion import conclude
from jupyter_mlops.capture.step.decision import (
    Decision,
    StepOmission,
    StepRefusal,
    StepReplacement,
    StepTurn,
    decide,
)
from jupyter_mlops.capture.step.observation import Observation, observe
from jupyter_mlops.capture.step.record import why_it_runs
from jupyter_mlops.capture.step.replacement import replace
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.errors import MLOpsError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult


class StepExecution:
    """Between `before` and `after` the shell runs the cell, or calls `restore` in its place."""

    def __init__(self, session: Session, step: StepCell, facts: CodeFacts, refused: MLOpsError | None) -> None:
        self.step = step
        self.refused = refused
        """The error that the cell fails with: its name is another cell's, a claim is contradicted, or its time is over."""
        self.placed = False
        """Whether the cell's code was replaced."""
        self._session = session
        self._facts = facts
        self._decision: Decision | None = None if refused is None else StepRefusal(refused)
        self._observation: Observation | None = None

    def before(self) -> None:
        """Decide what becomes of the step, and begin to watch it where it runs."""
        if self._decision is None:
            self._decision = decide(self._session, self.step, self._facts)
        match self._decision:
            case StepRefusal(error):
                self.refused = error
            case StepTurn():
                self._observation = self._begin(self._decision)

    def _begin(self, turn: StepTurn) -> Observation:
        """Make ready what the cell may read, and watch it from now on."""
        session, examination, hydrator = self._session, turn.examination, self._session.hydrator
        if session.run.resumed is not None:
            session.run.resumed.is_whole = False
        session.run.writing.catch_up()
        session.run.saver.secure()
        unchanged = not hydrator.show(self._facts) and hydrator.is_idle  # what is loaded may set options
        hydrator.ready(examination.touches, libraries_used=bool(examination.packages) or examination.everything)
        turn.record.start(self._why(turn))
        session.listener.on_event(StepStarted(turn.record.step_run))
        return observe(session, self.step.spec, examination, examination.libraries if unchanged else None)

    def _why(self, turn: StepTurn) -> Reason:
        session, name = self._session, self.step.spec.name
        if session.policy.forces(name):
            return Reason(ReasonCode.FORCED)
        last = session.history.last_of(turn.record.step_run.notebook, name)
        producers = dict(session.history.producers)
        return why_it_runs(session.run.store, session.later, self.step, turn.examination, last, producers)

    @property
    def is_replaced(self) -> bool:
        """Whether `restore` is to be called in place of the cell."""
        return self._decision is not None and self._observation is None

    @property
    def effects(self) -> Mapping[str, list[Reason]]:
        """Library → why its state may be another after this cell, in ways that no fingerprint shows."""
        match self._decision:
            case StepTurn(examination):
                return examination.effects
            case StepRefusal(_, effects):
                return effects
        return {}

    def after(self, result: ExecutionResult) -> set[str]:
        """Record how the cell ended; gives the names it bound."""
        match self._decision:
            case StepReplacement(_, reuse):
                return set(reuse.known)
            case StepTurn() if self._observation is not None:
                ended = conclude(self._session, self.step, self._decision, self._observation, result)
                self.refused = ended.refused
                return ended.bound
        return set()

    def restore(self) -> None:
        """Do what the cell would have done, or nothing where it is left out."""
        match self._decision:
            case StepOmission(why):
                self._session.listener.on_event(StepSkipped(self.step.spec.name, why))
            case StepReplacement():
                replace(self._session, self.step, self._decision)

    def abandon(self) -> None:
        """Let go of the shell, also where recording itself failed."""
        if self._observation is not None:
            self._observation.stop()
