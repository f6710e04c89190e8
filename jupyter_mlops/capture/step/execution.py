"""One step's execution: examined before, recorded while it runs, keyed and kept after; or reused in its place."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import Any

from jupyter_mlops.analysis.code.inert import PLAIN
from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.key.draws import Draws
from jupyter_mlops.capture.key.examination import Examination, Resolver, examine
from jupyter_mlops.capture.key.step_options import add_asked, answered_for
from jupyter_mlops.capture.observe import display, watch
from jupyter_mlops.capture.restore.restore import put_in_place
from jupyter_mlops.capture.results.resume import may_be_taken
from jupyter_mlops.capture.results.reuse import Reuse, conditions_hold, find_reusable, open_if_whole
from jupyter_mlops.capture.session.events import AuthorWarned, StepEnded, StepReused, StepSkipped, StepStarted
from jupyter_mlops.capture.session.session import Session
from jupyter_mlops.capture.step import secrecy
from jupyter_mlops.capture.step.attempts import Attempts
from jupyter_mlops.capture.step.declarations import contradicted_inputs, contradicted_outputs
from jupyter_mlops.capture.step.outcome import StepOutcome, judge, named_metrics, names_bound
from jupyter_mlops.capture.step.record import Recorded
from jupyter_mlops.capture.step.result import keep
from jupyter_mlops.capture.step.serving import lacking, why_it_runs
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepRun
from jupyter_mlops.errors import InputError, MLOpsError
from jupyter_mlops.secrets.known import redact
from jupyter_mlops.store.files.digests import ABSENT, file_digest

_INLINE = re.compile(r"^[^\S\n]*%matplotlib\s+(inline)\b", re.MULTILINE)


class StepExecution:
    """Between `before` and `after` the shell runs the cell, or `restore` in its place."""

    def __init__(self, session: Session, step: StepCell, facts: Any) -> None:
        self.session = session
        self.shell, self.world = session.context.shell, session.context.world
        self.step = step
        self.facts = facts
        self.reuse: Reuse | None = None
        self.placed = False
        """Whether the cell's code was replaced."""
        self.skipped: Reason | None = None
        """Why the step is left out, where it is."""
        self._shown: Any = None
        self._recorded_ahead: StepRun | None = None
        self.refused: MLOpsError | None = None
        """Set where its name is another cell's, a claim is contradicted, or its time is over: the cell then fails."""
        self._libraries_before: dict[str, str] | None = None
        self._recorder: display.DisplayRecorder | None = None
        self._watch: watch.StepWatch | None = None

    def before(self) -> None:
        """Examine the step, and either find what to reuse or begin to record."""
        session = self.session
        self._began = time.perf_counter()
        if self.refused is not None:
            self.examination = Examination(self.facts)
            return
        started_at = session.run.store.now()
        if not session.context.is_job:
            from jupyter_mlops.capture.restore.recall import recall_missing

            recall_missing(session, self.step, self.facts)
        if self._is_left_out():
            return
        self.examination = self._examine()
        self.refused = contradicted_inputs(self.step.spec, self.examination)
        self.record = Recorded(session.run, session.history, self.step, self.examination, started_at)
        forced = self.step.spec.no_cache or session.policy.forces(self.step.spec.name)
        if self.refused is None:
            self.reuse = self._done_ahead()
        if self.reuse is None and self.refused is None and not session.policy.forces(self.step.spec.name):
            self.reuse = self._continue()
        if self.reuse is None and self.refused is None and not forced and not self.examination.reasons:
            self.reuse = self._find()
        if self.reuse is not None or self.refused is not None:
            return
        if session.run.resumed is not None:
            session.run.resumed.is_whole = False
        session.run.writing.settle_debt()
        session.run.saver.secure()
        if not session.hydrator.show(self.facts) and session.hydrator.is_idle:
            self._libraries_before = self.examination.libraries
        session.hydrator.ready(self.examination.touches, libraries_used=self._uses_libraries())
        self.record.start(self._why())
        session.listener.on_event(StepStarted(self.record.step_run))
        self._look_before()
        if display.can_record(self.shell):
            limit = session.run.project.output_limit(session.listener)
            self._recorder = display.DisplayRecorder(self.shell, limit)
            self._recorder.start()
        self._watch = watch.Unneeded() if self._is_inert else watch.StepWatch((session.run.store.folder,))
        self._watch.__enter__()
        self._asked = secrecy.asked()
        self._attempts = Attempts(self.shell, self.step.spec)
        self._attempts.begin()
        self._wall_before = time.time_ns()
        self._cell_began = time.perf_counter()

    def _why(self) -> Reason:
        session, name, history = self.session, self.step.spec.name, self.session.history
        if session.policy.forces(name):
            return Reason(ReasonCode.FORCED)
        last = history.last_of(self.record.step_run.notebook, name)
        return why_it_runs(session.run.store, session.later, self.step, self.examination, last, dict(history.producers))

    def _is_left_out(self) -> bool:
        if not (self.step.spec.skip or self.step.spec.skip_if):
            return False
        from jupyter_mlops.capture.step.skip import skipped

        try:
            self.skipped = skipped(self.session.context.namespace, self.session.later, self.step, self.facts)
        except InputError as error:
            self.refused = error
        self.examination = Examination(self.facts)
        return bool(self.skipped or self.refused)

    def _examine(self) -> Examination:
        session = self.session
        context = session.context
        found = examine(self.facts, self.world, context.modules, display_mode=context.display_mode)
        self._beside = context.beside.users_work
        found.reasons += [Reason(ReasonCode.BESIDE, self._beside)] if self._beside else []
        return add_asked(found, self.step)

    def _uses_libraries(self) -> bool:
        return bool(self.examination.packages) or self.examination.everything

    def _done_ahead(self) -> Reuse | None:
        """What this run has executed already in a kernel beside this one: it stands in the record."""
        session, found = self.session, self.examination
        if not session.context.task.is_ahead or found.reasons or not display.can_record(self.shell):
            return None
        for run in session.run.store.steps.runs(run_id=session.run.id, step=self.step.spec.name):
            if not run.status.succeeded or run.key != found.key:
                continue
            source = session.run.store.steps.run(run.reused_from) if run.reused_from else run
            taken = not source.unrepeatable and source.result is not None and self._serves(source)
            if not taken or not conditions_hold(source, self.world):
                continue
            reuse = open_if_whole(session.run.store, source)
            if reuse is not None and self._files_are_back(reuse):
                self._recorded_ahead = run
                return reuse
        return None

    def _continue(self) -> Reuse | None:
        """What the run that this one continues had finished."""
        resumed, world = self.session.run.resumed, self.world
        if resumed is None or not display.can_record(self.shell):
            return None
        found = resumed.find(self.examination, world, self._serves)
        return found if found is not None and self._files_are_back(found) else None

    def _find(self) -> Reuse | None:
        session = self.session
        if not display.can_record(self.shell):
            return None
        if session.run.saver.is_saving(self.examination.key):
            session.run.writing.drain(30.0)
        store, spec = session.run.store, self.step.spec
        found = find_reusable(store, self.world, self.examination, spec, self._serves, self._warn)
        return found if found is not None and self._files_are_back(found) else None

    def _warn(self, message: str, hint: str) -> None:
        self.session.listener.on_event(AuthorWarned(message, hint))

    def _files_are_back(self, found: Reuse) -> bool:
        """Put the files in place that the step wrote; where that cannot be, the step runs."""
        if not found.source.files:
            return True
        from jupyter_mlops.capture.results.files import restore_files

        try:
            restore_files(self.session.run.store.objects, found.source.files)
        except MLOpsError as error:
            self._warn(error.message, "The step that wrote it runs again.")
            return False
        return True

    def _serves(self, candidate: StepRun) -> bool:
        return lacking(self.session.later, self.step, candidate) is None

    def _look_before(self) -> None:
        world = self.world
        self._names_before = dict(world.namespace)  # what is bound anew has its last words when the step has ended
        names = self.facts.names
        self._is_inert = (
            self.facts.inert
            and self.session.context.runs_code_as_it_stands
            and self.shell.ast_node_interactivity != "last_expr_or_assign"  # which shows what it binds
            and all(type(self._names_before.get(name, world)) in PLAIN for name in names.reads)
        )
        touched = {*self.examination.inputs, *(names.writes - names.settles)}
        self._shapes_before = world.shapes(name for name in touched if name in world.namespace)
        self._together = world.together(self.examination.inputs)
        self._known_before = world.known_now(touched if self._is_inert else None)
        if self._is_inert:
            self._draws, self._libraries_before = Draws.none(), {}
            return
        self._draws = Draws(self.session.context.unseeded)
        if self._libraries_before is None:  # what was loaded may have set options
            self._libraries_before = dict(world.libraries())
        self._unknown = {
            name.partition(".")[0]
            for name in self.examination.packages
            if name not in sys.stdlib_module_names and name not in libraries.KNOWN_STATES
        }
        self._snapshot = libraries.package_snapshot(self._unknown)

    def after(self, result: Any) -> set[str]:
        """Record how the cell ended; gives the names it bound."""
        if self.reuse is not None:
            return set(self.reuse.known)
        if self._watch is None:
            return set()
        self.refused = self._attempts.settle(result, self.step.code)
        self._shown = result.result
        duration = time.perf_counter() - self._cell_began
        self._stop()
        secrecy.warn_of_source(self.session.listener, self.step)
        session, found = self.session, self.examination
        error = result.error_before_exec or result.error_in_exec or self.refused
        if error is not None:
            bound, _ = names_bound(self.world, self._names_before)
            self.world.touch(None if found.touches is None else found.touches | bound)
            self.record.failed(error, duration)
            session.listener.on_event(StepEnded(self.record.step_run))
            return bound
        among = self.facts.names.writes if self._is_inert else None
        outcome = judge(self.world, found, self._names_before, self._known_before, self._shapes_before, among)
        refused = contradicted_outputs(self.step.spec, outcome)
        if refused is not None:
            self.refused = refused
            self.record.failed(refused, duration)
            session.listener.on_event(StepEnded(self.record.step_run))
            return outcome.bound
        if not self._is_inert:
            self._draws.ended(self._source(), found, Resolver(self.facts.doubts, self.world))
        outcome.reasons = [*found.reasons, *outcome.reasons, *self._watched()]
        conditions = self._conditions(outcome)
        effects = self._effects(outcome)
        metrics = self._metrics()
        self._parameters()
        self.record.completed(outcome, conditions, effects, metrics, duration)
        if not outcome.reasons or (session.context.is_job and may_be_taken(outcome.reasons)):
            keep(session.context, session.run.writing, self.record, outcome, self._recorder, self._written())
        if self.step.spec.model:
            from jupyter_mlops.capture.step.models import keep_model

            keep_model(session.context.namespace, session.run, session.listener, self.step, self.record.step_run, found)
        session.listener.on_event(StepEnded(self.record.step_run))
        return outcome.bound

    def _name_of_shown(self) -> str | bool:
        """The name whose value the step showed last; True where it showed anything else."""
        namespace = self.session.context.namespace
        names = {*self.examination.inputs, *self.facts.names.writes}
        return next((name for name in sorted(names) if name in namespace and namespace[name] is self._shown), True)

    def _source(self) -> str:
        """The step's code as plain Python; "" where no way of writing a call is in it, so that it cannot seed."""
        code, shell = self.step.code, self.shell
        return "" if not shell.autocall and "(" not in code and "/" not in code else str(shell.transform_cell(code))

    def _stop(self) -> None:
        if self._watch is not None:
            self._watch.__exit__()
        if self._recorder is not None:
            self._recorder.stop()

    def abandon(self) -> None:
        """Let go of the shell where recording itself failed."""
        self._stop()

    def _written(self) -> dict[str, str]:
        """Path → digest of the files the step wrote and left."""
        assert self._watch is not None
        written = {path: file_digest(path) for path in sorted(self._watch.seen.writes)}
        named = {os.path.abspath(path) for path in self.step.spec.writes} | self.examination.writes
        written |= {path: file_digest(path) for path in sorted(named)}
        return {path: digest for path, digest in written.items() if digest != ABSENT}

    def _watched(self) -> list[Reason]:
        """Reasons why the result is not repeatable, seen while it ran."""
        assert self._watch is not None
        reasons = answered_for(self.step.spec, self._watch.seen.reasons)
        if libraries.open_figures():
            reasons.append(Reason(ReasonCode.OPEN_FIGURE))
        if self._recorder is None:
            reasons.append(Reason(ReasonCode.UNRECORDED_DISPLAY))
        else:
            reasons += self._recorder.doubts()
        return reasons + self._draws.reasons

    def _conditions(self, outcome: StepOutcome) -> Conditions:
        """What the step read and drew on, as it must be again."""
        assert self._watch is not None
        seen = self._watch.seen
        files = {}
        for path in sorted(seen.reads - seen.writes):
            files[path] = file_digest(path)
            if os.path.exists(path) and os.stat(path).st_mtime_ns >= self._wall_before:
                outcome.reasons.append(Reason(ReasonCode.CHANGED_READ, path))
        files.update(seen.looked)
        folder = os.getcwd() if files or self._written() else ""
        files.update(secrecy.conditions(self._asked))
        return Conditions(files, folder, self._draws.needed, outcome.shapes, self._together)

    def _effects(self, outcome: StepOutcome) -> dict[str, Any]:
        """What the step changed besides names, as `restore` needs it."""
        after = {} if self._is_inert else self.world.libraries()
        before = self._libraries_before or {}
        changed = {name: after.get(name, "") for name in {*before, *after} if before.get(name) != after.get(name)}
        behind = self._watch.seen.behind if self._watch is not None else ""
        effects: dict[str, Any] = {k: text for k, text in (("behind", behind), ("beside", self._beside)) if text}
        imports = [name for name in sorted(self.facts.names.imports) if name in sys.modules]
        if imports:
            effects["imports"] = imports
        magic = _INLINE.search(self.step.code)
        if magic is not None:
            effects["matplotlib"] = magic[1]
        if self._draws.after:
            effects["random"] = self._draws.after
        written = self._written()
        if written:
            effects["written"] = written
        if changed:
            effects["libraries"] = changed
        if outcome.deleted:
            effects["deleted"] = sorted(outcome.deleted)
        if self._recorder is not None and any(event["type"] == "execute_result" for event in self._recorder.events):
            effects["result"] = self._name_of_shown()
        if self._is_inert:
            return effects
        for name in libraries.package_changes(self._snapshot, libraries.package_snapshot(self._unknown)):
            outcome.reasons.append(Reason(ReasonCode.LIBRARY_STATE, name))
            self.examination.effects.setdefault(name.partition(".")[0], []).append(outcome.reasons[-1])
        return effects

    def _metrics(self) -> dict[str, float]:
        metrics, problems = named_metrics(self.step.spec, self.session.context.namespace)
        for problem in problems:
            self._warn(problem, "Bind a number to that name in the step, or change --metrics.")
        return metrics

    def _parameters(self) -> None:
        """Log the variables that `--params` names as parameters of the run."""
        found = {}
        for name in self.step.spec.params:
            value = self.session.context.namespace.get(name)
            if value is None or isinstance(value, (bool, int, float, str)):
                found[name] = redact(value)
            else:
                self._warn(
                    f"Parameter '{name}' of step '{self.step.spec.name}' was not logged: it is a {type(value).__name__}.",
                    "List variables that hold a number, a text or true/false.",
                )
        if found:
            session, run_id, now = self.session, self.record.step_run.run_id, self.session.run.store.now()
            session.run.saver.do(lambda: session.run.store.runs.add_parameters(run_id, found, now=now))

    def restore(self) -> None:
        """Do what the cell would have done: bind and delete its names, set the generators, write its files, show its
        displays."""
        if self.skipped:
            self.session.listener.on_event(StepSkipped(self.step.spec.name, self.skipped))
            return
        assert self.reuse is not None
        session, reuse, source = self.session, self.reuse, self.reuse.source
        put_in_place(self.world, session.hydrator, reuse)
        display.replay(self.shell, reuse.events)
        if any(event["type"] == "execute_result" for event in reuse.events):
            session.hydrator.showed(source)
        if self._recorded_ahead is not None:
            if self._recorded_ahead.status is Status.REUSED:
                session.listener.on_event(StepReused(self._recorded_ahead, source.duration or 0.0, source))
            session.hydrator.settle(reuse.known)
            return
        metrics = dict(source.metrics)
        if set(metrics) != set(self.step.spec.metrics):
            session.hydrator.ready(self.step.spec.metrics, libraries_used=True)
            metrics = self._metrics()
        if self.step.spec.params:
            session.hydrator.ready(self.step.spec.params, libraries_used=True)
            self._parameters()
        self.record.reused(reuse, metrics, time.perf_counter() - self._began)
        session.listener.on_event(StepReused(self.record.step_run, source.duration or 0.0, source))
        session.listener.on_event(StepEnded(self.record.step_run))
        session.hydrator.settle(reuse.known)
