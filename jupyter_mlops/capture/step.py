"""One step's execution: examined before, recorded while it runs, keyed and kept after; or reused in its place."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from jupyter_mlops.analysis.notebook import StepCell
from jupyter_mlops.analysis.reasons import differences, reason
from jupyter_mlops.capture import codec, display, libraries
from jupyter_mlops.capture.key import Examination, examine
from jupyter_mlops.capture.outcome import Outcome, judge, named_metrics
from jupyter_mlops.capture.reuse import Reuse, find_reusable
from jupyter_mlops.capture.saver import Saving
from jupyter_mlops.capture.session import Session
from jupyter_mlops.capture.watch import Watch
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import Conditions, StepInput, StepRun
from jupyter_mlops.store.digests import file_digest
from jupyter_mlops.store.processes import this_process


class Execution:
    """Between `before` and `after` the shell runs the cell, or `restore` in its place."""

    def __init__(self, session: Session, step: StepCell, facts: Any) -> None:
        self.session = session
        self.step = step
        self.facts = facts
        self.reuse: Reuse | None = None
        self.reuse_placed = False
        self._recorder: display.DisplayRecorder | None = None
        self._watch: Watch | None = None

    def before(self) -> None:
        """Examine the step, and either find what to reuse or begin to record."""
        session = self.session
        self._began = time.perf_counter()
        self._started_at = session.store.now()
        self.examination = self._examine()
        self.step_run = self._begin()
        candidate = None
        if not self.step.spec.no_cache and not self.examination.reasons and display.can_record(session.shell):
            session.drain(30.0)
            candidate = find_reusable(session.store, self.examination, session.listener.warn)
        if candidate is not None:
            self.reuse = candidate
            return
        session.store.steps.start_run(self.step_run)
        session.listener.before(self.step_run)
        self._names_before = dict(session.namespace)
        self._random_before = libraries.random_digests()
        if display.can_record(session.shell):
            self._recorder = display.DisplayRecorder(session.shell)
            self._recorder.start()
        self._watch = Watch((session.store.folder,))
        self._watch.__enter__()
        self._wall_before = time.time_ns()
        self._cell_began = time.perf_counter()

    def _examine(self) -> Examination:
        shell = self.session.shell
        found = examine(
            self.facts,
            self.session.namespace,
            self.session.modules,
            path=self.session.path,
            display_mode=f"{shell.ast_node_interactivity} {type(shell).__name__}",
        )
        if self.step.spec.model:
            found.ingredients["model"] = self.step.spec.model  # to be logged, it must have been kept
        return found

    def _begin(self) -> StepRun:
        """The record of this step run as it begins."""
        session, found = self.session, self.examination
        store = session.store
        notebook = session.notebook
        run_id = session.run_id
        name = self.step.spec.name
        version = store.steps.version(
            notebook, name, found.facts.digest, _without_magic(self.step.code), now=self._started_at
        )
        producers = session.producers
        inputs = {item: StepInput(print_.digest, producers.get(item, "")) for item, print_ in found.inputs.items()}
        pid, pid_started = this_process()
        return StepRun(
            id=store.new_id(),
            run_id=run_id,
            notebook=notebook,
            step=name,
            version=version.number,
            version_digest=version.digest,
            position=session.next_position(),
            status=Status.RUNNING,
            key=found.key,
            inputs=inputs,
            ingredients=found.ingredients,
            unrepeatable="; ".join(dict.fromkeys(found.reasons)),
            why=self._why(found, producers),
            started_at=self._started_at,
            cell_id=self.step.cell.id or None,
            pid=pid,
            pid_started=pid_started,
        )

    def _why(self, found: Examination, producers: dict[str, str]) -> str:
        if self.step.spec.no_cache:
            return "it is marked --no-cache"
        if found.reasons:
            return f"it {found.reasons[0]}"
        last = self.session.store.steps.runs(step=self.step.spec.name, notebook=self.session.notebook, limit=1)
        if not last:
            return "it had not run before"
        changed = differences(last[0].ingredients, found.ingredients)
        if changed:
            return reason(changed[0], producers)
        if not last[0].status.succeeded:
            return f"its last run {last[0].status.value}"
        return f"it {last[0].unrepeatable}" if last[0].unrepeatable else "a file or random state it read changed"

    def after(self, result: Any) -> set[str]:
        """Record how the cell ended; gives the names it bound."""
        if self.reuse is not None:
            return set(self.reuse.names)
        duration = time.perf_counter() - self._cell_began
        self._stop()
        session = self.session
        error = result.error_before_exec or result.error_in_exec
        outcome = judge(
            self.examination, self._names_before, session.namespace, self._watched(), failed=error is not None
        )
        status = Status.COMPLETED if error is None else _failed_status(error)
        now = session.store.now()
        metrics = {} if error is not None else self._metrics()
        told: dict[str, Any] = {
            "status": status,
            "outputs": outcome.digests,
            "unrepeatable": "; ".join(dict.fromkeys(outcome.reasons)),
            "conditions": self._conditions(outcome),
            "metrics": metrics,
            "error": "" if error is None else f"{type(error).__name__}: {error}"[:2000],
            "duration": duration,
            "ended_at": now,
        }
        self.step_run = replace(self.step_run, **told)
        if error is None and not outcome.reasons:
            self._keep(outcome)
        told["unrepeatable"] = self.step_run.unrepeatable
        session.store.steps.update_run(self.step_run.id, told_at=now, **told)
        if metrics:
            session.store.runs.add_metrics(self.step_run.run_id, metrics, now=now)
        if error is None and self.step.spec.model:
            self._model()
        session.listener.after(self.step_run)
        return outcome.bound

    def _stop(self) -> None:
        if self._watch is not None:
            self._watch.__exit__()
        if self._recorder is not None:
            self._recorder.stop()

    def abandon(self) -> None:
        """Let go of the shell where recording itself failed."""
        self._stop()

    def _watched(self) -> list[str]:
        """Reasons why the result is not repeatable, seen while it ran."""
        assert self._watch is not None
        seen = self._watch.seen
        reasons = list(dict.fromkeys(seen.reasons))
        written = [path for path in sorted(seen.writes) if file_digest(path) != "absent"]
        if written:
            reasons.append(f"writes files ({written[0]})")
        if libraries.open_figures():
            reasons.append("leaves a figure open")
        if self._recorder is None:
            reasons.append("shows in a shell whose displays cannot be recorded")
        else:
            reasons += self._recorder.doubts()
        if "numpy" not in self._random_before and libraries.numpy_drawn_since_import():
            reasons.append("draws from numpy's generator, which it has just imported")
        return reasons

    def _conditions(self, outcome: Outcome) -> Conditions:
        """What the step read and drew on, as it must be again."""
        assert self._watch is not None
        files = {}
        for path in sorted(self._watch.seen.reads - self._watch.seen.writes):
            files[path] = file_digest(path)
            if os.path.exists(path) and os.stat(path).st_mtime_ns >= self._wall_before:
                outcome.reasons.append(f"reads a file that changed while it ran ({path})")
        now = libraries.random_digests()
        drawn = {name: digest for name, digest in self._random_before.items() if now.get(name) != digest}
        return Conditions(files, os.getcwd() if files else "", drawn)

    def _keep(self, outcome: Outcome) -> None:
        """Snapshot the result and the displays; they are written behind the cell's back."""
        assert self._recorder is not None
        names = self.session.namespace
        values = {name: names[name] for name in outcome.digests}
        states = libraries.random_states(list(self.step_run.conditions.random_before))
        events = self._recorder.events
        try:
            content = {"names": values, "deleted": sorted(outcome.deleted), "random": states}
            chunks = [bytes(chunk) for chunk in codec.dump(content)]
            shown = display.encode(events)
        except codec.Unstorable as error:
            self.step_run = replace(self.step_run, unrepeatable=f"makes a value that {error}")
            return
        except (TypeError, ValueError) as error:
            self.step_run = replace(self.step_run, unrepeatable=f"shows what cannot be kept ({error})")
            return
        self.session.saver.save(Saving(self.step_run.id, chunks, shown, outcome.digests))

    def _metrics(self) -> dict[str, float]:
        metrics, problems = named_metrics(self.step.spec, self.session.namespace)
        for problem in problems:
            self.session.listener.warn(problem, "Bind a number to that name in the step, or change --metrics.")
        return metrics

    def _model(self) -> None:
        from jupyter_mlops.capture.models import keep_model

        keep_model(self.session, self.step, self.step_run, self.examination)

    def restore(self) -> None:
        """Do what the cell would have done: bind and delete its names, set the generators, show its displays."""
        assert self.reuse is not None
        session, reuse = self.session, self.reuse
        session.namespace.update(reuse.names)
        for name in reuse.deleted:
            session.namespace.pop(name, None)
        libraries.restore_random(reuse.random)
        display.replay(session.shell, reuse.events)
        if any(event["type"] == "execute_result" for event in reuse.events):
            session.shell.displayhook.update_user_ns(display.NotRestored(self.step.spec.name))
        now = session.store.now()
        source = reuse.source
        metrics = self._metrics()
        self.step_run = replace(
            self.step_run,
            status=Status.REUSED,
            outputs=source.outputs,
            conditions=source.conditions,
            reused_from=source.reused_from or source.id,
            metrics=metrics,
            why="nothing it depends on changed",
            duration=time.perf_counter() - self._began,
            ended_at=now,
        )
        session.store.steps.start_run(self.step_run)
        if metrics:
            session.store.runs.add_metrics(self.step_run.run_id, metrics, now=now)
        session.listener.reused(self.step_run, source.duration or 0.0, source)
        session.listener.after(self.step_run)


def _without_magic(code: str) -> str:
    first, _, rest = code.partition("\n")
    return rest if first.startswith("# %%step") else code


def _failed_status(error: BaseException) -> Status:
    if isinstance(error, KeyboardInterrupt):
        return Status.CANCELED
    return Status.FAILED
