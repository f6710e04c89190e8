"""What is kept of a step that ran: what it made and changed, what that depends on, its record, and its result."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.key.draws import Drawn
from jupyter_mlops.capture.key.examination import Resolver
from jupyter_mlops.capture.key.step_options import answered_for, contradicted_outputs
from jupyter_mlops.capture.results.resume import may_be_taken
from jupyter_mlops.capture.session.events import StepEnded
from jupyter_mlops.capture.session.session import Session
from jupyter_mlops.capture.step import secrecy
from jupyter_mlops.capture.step.decision import StepTurn
from jupyter_mlops.capture.step.logged import log_parameters, metrics_of
from jupyter_mlops.capture.step.observation import Observation
from jupyter_mlops.capture.step.outcome import StepOutcome, judge, names_bound
from jupyter_mlops.capture.step.result import keep
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.step import Conditions
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.store.files.digests import ABSENT, file_digest

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult


_INLINE = re.compile(r"^[^\S\n]*%matplotlib\s+(inline)\b", re.MULTILINE)


@dataclass(frozen=True)
class StepConclusion:
    """How a step's cell ended: the names it bound, and the error that it is to fail with although it ran well."""

    bound: set[str]
    refused: MLOpsError | None = None


def conclude(
    session: Session, step: StepCell, turn: StepTurn, seen: Observation, result: ExecutionResult
) -> StepConclusion:
    """Record how the cell ended; `result` is IPython's, and becomes that of the last attempt."""
    refused = None if seen.attempts is None else seen.attempts.try_again(result, step.code)
    duration = time.perf_counter() - seen.began
    seen.stop()
    secrecy.warn_of_source(session.listener, step)
    error = result.error_before_exec or result.error_in_exec or refused
    ended = _Ended(session, step, turn, seen, result.result)
    if error is not None:
        return StepConclusion(ended.failed(error, duration), refused)
    return ended.well(duration)


@dataclass(frozen=True)
class _Ended:
    """A step whose cell has ended, and that is watched no more; `shown` is what it showed last."""

    session: Session
    step: StepCell
    turn: StepTurn
    seen: Observation
    shown: Any

    def failed(self, error: BaseException, duration: float) -> set[str]:
        """Record an error; gives the names that were bound before it."""
        world, touches = self.session.context.world, self.turn.examination.touches
        bound, _ = names_bound(world, self.seen.before.names)
        world.touch(None if touches is None else touches | bound)
        self._record_error(error, duration)
        return bound

    def _record_error(self, error: BaseException, duration: float) -> None:
        self.turn.record.failed(error, duration)
        self.session.listener.on_event(StepEnded(self.turn.record.step_run))

    def well(self, duration: float) -> StepConclusion:
        """Record what the step did, and keep its result, unless what it made is not what it was to make."""
        session, context, examination, record = (
            self.session,
            self.session.context,
            self.turn.examination,
            self.turn.record,
        )
        before, spec = self.seen.before, self.step.spec
        among = examination.facts.names.writes if self.seen.is_inert else None
        outcome = judge(context.world, examination, before.names, before.known, before.shapes, among)
        refused = contradicted_outputs(spec, outcome.bound | outcome.changed, outcome.known)
        if refused is not None:
            self._record_error(refused, duration)
            return StepConclusion(outcome.bound, refused)
        drawn = self._drawn()
        outcome.reasons = [*examination.reasons, *outcome.reasons, *self._watched(), *drawn.reasons]
        written = self._written()
        conditions = self._conditions(outcome, drawn, written)
        effects = self._effects(outcome, drawn, written)
        metrics = metrics_of(spec, context.namespace, session.listener) if spec.metrics else {}
        if spec.params:
            log_parameters(spec, context.namespace, session.run, record.step_run.run_id, session.listener)
        record.completed(outcome, conditions, effects, metrics, duration)
        if not outcome.reasons or (context.is_job and may_be_taken(outcome.reasons)):
            keep(context, session.run.writing, record, outcome, self.seen.recorder, written)
        if spec.model:
            from jupyter_mlops.capture.step.models import keep_model

            keep_model(context.namespace, session.run, session.listener, self.step, record.step_run, examination)
        session.listener.on_event(StepEnded(record.step_run))
        return StepConclusion(outcome.bound)

    def _drawn(self) -> Drawn:
        """What the step drew from the global generators of random numbers."""
        if self.seen.draws is None:
            return Drawn()
        found = self.turn.examination
        return self.seen.draws.ended(self._source(), found, Resolver(found.facts.doubts, self.session.context.world))

    def _source(self) -> str:
        """The step's code as plain Python; "" where no way of writing a call is in it, so that it cannot seed."""
        code, shell = self.step.code, self.session.context.shell
        return "" if not shell.autocall and "(" not in code and "/" not in code else str(shell.transform_cell(code))

    def _watched(self) -> list[Reason]:
        """Reasons why the result is not repeatable, seen while it ran."""
        reasons = answered_for(self.step.spec, self.seen.watch.seen.reasons)
        if libraries.open_figures():
            reasons.append(Reason(ReasonCode.OPEN_FIGURE))
        if self.seen.recorder is None:
            reasons.append(Reason(ReasonCode.UNRECORDED_DISPLAY))
        else:
            reasons += self.seen.recorder.doubts()
        return reasons

    def _written(self) -> dict[str, str]:
        """Path → digest of the files the step wrote and left."""
        named = {os.path.abspath(path) for path in self.step.spec.writes} | self.turn.examination.writes
        written = {path: file_digest(path) for path in sorted(self.seen.watch.seen.writes | named)}
        return {path: digest for path, digest in written.items() if digest != ABSENT}

    def _conditions(self, outcome: StepOutcome, drawn: Drawn, written: Mapping[str, str]) -> Conditions:
        """What the step read and drew on, as it must be again."""
        seen = self.seen.watch.seen
        files = {}
        for path in sorted(seen.reads - seen.writes):
            files[path] = file_digest(path)
            if os.path.exists(path) and os.stat(path).st_mtime_ns >= self.seen.began_at:
                outcome.reasons.append(Reason(ReasonCode.CHANGED_READ, path))
        files.update(seen.looked)
        folder = os.getcwd() if files or written else ""
        files.update(secrecy.conditions(self.seen.secrets))
        return Conditions(files, folder, drawn.needed, outcome.shapes, self.seen.before.together)

    def _effects(self, outcome: StepOutcome, drawn: Drawn, written: Mapping[str, str]) -> dict[str, Any]:
        """What the step changed besides names, as restoring it needs it."""
        before = self.seen.before.libraries
        after = {} if self.seen.is_inert else self.session.context.world.libraries()
        imports = self.turn.examination.facts.names.imports
        magic = _INLINE.search(self.step.code)
        recorder = self.seen.recorder
        showed = recorder is not None and any(event["type"] == "execute_result" for event in recorder.events)
        effects = {
            "behind": self.seen.watch.seen.behind,
            "beside": self.turn.beside,
            "imports": [name for name in sorted(imports) if name in sys.modules],
            "matplotlib": magic[1] if magic is not None else "",
            "random": drawn.after,
            "written": written,
            "libraries": {
                name: after.get(name, "") for name in {*before, *after} if before.get(name) != after.get(name)
            },
            "deleted": sorted(outcome.deleted),
            "result": self._name_of_shown() if showed else "",
        }
        if not self.seen.is_inert:
            self._note_options(outcome)
        return {name: effect for name, effect in effects.items() if effect}

    def _name_of_shown(self) -> str | bool:
        """The name whose value the step showed last; True where it showed anything else."""
        namespace, found = self.session.context.namespace, self.turn.examination
        names = {*found.inputs, *found.facts.names.writes}
        return next((name for name in sorted(names) if name in namespace and namespace[name] is self.shown), True)

    def _note_options(self, outcome: StepOutcome) -> None:
        """Packages of whose options nothing is known, and that hold something else now: the result is not repeatable."""
        before = self.seen.before
        for name in libraries.package_changes(before.options, libraries.package_snapshot(before.packages)):
            outcome.reasons.append(Reason(ReasonCode.LIBRARY_STATE, name))
            self.turn.examination.effects.setdefault(name.partition(".")[0], []).append(outcome.reasons[-1])
