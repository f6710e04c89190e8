"""What running a notebook from the top in a fresh kernel would do, told from the record alone: no kernel, no values.

The same examination as in the kernel, in a world made of what the record knows of each step's result.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import lru_cache

from jupyter_mlops.analysis.code.facts import CodeFacts
from jupyter_mlops.analysis.code.magics import EVERYTHING
from jupyter_mlops.analysis.code.names import Reach
from jupyter_mlops.analysis.parameters.plain_values import bind_all, plain_values, reach_of
from jupyter_mlops.analysis.parameters.scope import Scope
from jupyter_mlops.analysis.pipeline.cells import StepCell, all_steps_of, label_of
from jupyter_mlops.analysis.pipeline.links import later_reads
from jupyter_mlops.analysis.pipeline.reasons import differences, reason
from jupyter_mlops.analysis.pipeline.shown import facts_of, reads_shown
from jupyter_mlops.capture.digest.content import Undigestible, Walker
from jupyter_mlops.capture.key.effects import add_effects
from jupyter_mlops.capture.key.examination import Examination, examine
from jupyter_mlops.capture.key.modules import LocalModules
from jupyter_mlops.capture.key.step_options import add_asked
from jupyter_mlops.capture.key.value_facts import ValueFacts, first_lost, known_of, reached
from jupyter_mlops.capture.key.world import UNTOLD, shapes_in
from jupyter_mlops.capture.results.reuse import conditions_hold, in_time, known_in, unmet
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.plan import REUSE, RUN, SKIP, UNKNOWN, Forecast
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.step_spec import cell_label
from jupyter_mlops.secrets.known import CONDITION
from jupyter_mlops.store.files.digests import EXISTS, file_digest
from jupyter_mlops.store.store import Store

DISPLAY_MODE = "last_expr ZMQInteractiveShell"
"""How ipykernel's shell shows results, unless it is told otherwise."""
_NOT_YET = "not yet known"


@dataclass
class RecordedWorld:
    """A `World` in which nothing is loaded: it is moved from step to step by what the record says of them."""

    names: dict[str, ValueFacts] = field(default_factory=dict)
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    makers: dict[str, str] = field(default_factory=dict)
    effects: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    drawn: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    where: str = ""

    def know(self, name: str) -> ValueFacts | None:
        return self.names.get(name)

    def component(self, names: Iterable[str]) -> set[str]:
        found = set(names)
        for name in list(found):
            found |= {other for other in self.groups.get(name, ()) if self.groups.get(other) == self.groups.get(name)}
        return found

    def shapes(self, names: Iterable[str]) -> dict[str, str]:
        return shapes_in(self, names)

    def shape(self, group: set[str]) -> str:
        """What the record says of values that share, as one value."""
        known = [self.names[name] for name in sorted(group) if name in self.names]
        whole = all({name, *self.names[name].shares} == group for name in group if name in self.names)
        if not whole or len(known) < len(group):
            return UNTOLD
        return (known[0].shape if len(group) > 1 else known[0].digest) or UNTOLD

    def together(self, names: Collection[str]) -> dict[str, str]:
        """As far as the record tells: of a part of a group it does not say how that hangs together."""
        groups = {frozenset(self.component({name}) & set(names)) for name in names}
        return {",".join(sorted(group)): self.shape(set(group)) for group in groups if len(group) > 1}

    def libraries(self, among: Collection[str] | None = None) -> Mapping[str, str]:
        return self.options

    def randoms(self) -> Mapping[str, str]:
        return self.drawn

    def folder(self) -> str:
        return self.where

    def file(self, path: str) -> str:
        if path.startswith(EXISTS) and path[len(EXISTS) :] in self.written:
            return "folder" if self.written[path[len(EXISTS) :]].startswith("folder:") else "file"
        if path.startswith(CONDITION):
            return UNTOLD  # looked up in kernels only
        return self.written.get(path) or file_digest(path)

    def untold(self) -> list[str]:
        return []

    def take(self, step: str, run: StepRun) -> None:
        """The step gave what `run` gave."""
        for name, known in known_in(run).items():
            self.names[name] = known
            self.groups[name] = frozenset({name, *known.shares})
            self.makers[name] = step
        for name in run.effects.get("deleted", ()):
            self.names.pop(name, None)
        for library, digest in run.effects.get("libraries", {}).items():
            if digest:
                self.options[library] = digest
            else:
                self.options.pop(library, None)
        self.drawn.update(run.effects.get("random", {}))
        self.written.update(run.effects.get("written", {}))

    def doubt(self, step: str, facts: CodeFacts, found: Examination, history: Sequence[StepRun]) -> None:
        """The step will run, and what it gives is not known yet: what it binds, and what it may change in place."""
        changed = set(facts.names.writes)
        if history:
            changed |= set(history[0].known)
        else:
            changed |= {name for name, known in found.inputs.items() if known.kind == "value"}
        for name in self.component(changed):
            self.bind(step, name, ValueFacts(digest=f"{_NOT_YET}:{step}:{name}"))

    def doubt_all(self, step: str) -> None:
        """The step leaves work that may change any value, at a time that is not known."""
        for name in [name for name, known in self.names.items() if known.kind == "value"]:
            self.bind(step, name, ValueFacts(digest=f"{_NOT_YET}:{step}:{name}"))

    def bind(self, step: str, name: str, known: ValueFacts) -> None:
        """The step binds a name to a value that shares nothing with others."""
        self.names[name] = known
        self.groups[name] = frozenset({name})
        self.makers[name] = step


def forecast(
    store: Store | None, notebook: str, cells: Sequence[Cell], first: Mapping[str, StepRun] | None = None
) -> tuple[Forecast, ...]:
    """What each step of `cells` would do, in order; `notebook` is its path as the index names it.

    `first` are step runs, by step, that are looked at before all others of the record.
    """
    steps, _ = steps_in(tuple(cells))
    runs = _newest(store, notebook, steps)
    for name, run in (first or {}).items():
        runs[name] = [run, *(other for other in runs.get(name, ()) if other.id != run.id)]
    folder = str((store.root / notebook).parent) if store is not None else ""
    return tuple(_Forecaster(store, RecordedWorld(where=folder), runs, folder).steps(steps))


steps_in = lru_cache(maxsize=4)(all_steps_of)
"""The steps of a tuple of cells: they are asked for more than once."""


def _begun(run: StepRun) -> str:
    return "" if run.started_at is None else run.started_at.isoformat()


def _newest(store: Store | None, notebook: str, steps: Sequence[StepCell]) -> dict[str, list[StepRun]]:
    if store is None:
        return {}
    digests = {facts.digest for step in steps if (facts := facts_of(step)) is not None}
    found = store.steps.newest(notebook, digests)
    missing = [step.spec.name for step in steps if step.spec.name not in found]
    if missing:  # of other code: it tells what changed, and about how long it takes
        found |= {name: [run] for name, run in store.steps.completed(notebook, missing).items()}
    return found


class _Forecaster:
    def __init__(self, store: Store | None, world: RecordedWorld, runs: dict[str, list[StepRun]], folder: str) -> None:
        self._store = store
        self._world = world
        self._runs = runs
        self._by_key: dict[str, list[StepRun]] = {}
        for run in (run for found in runs.values() for run in found):
            if run.status is Status.COMPLETED and not run.unrepeatable and run.result is not None:
                self._by_key.setdefault(run.key, []).append(run)
        self._modules = LocalModules()
        self._steps: Sequence[StepCell] = ()
        self._place = 0
        self._scope, self._scope_place = Scope(), 0
        """What names stand for below the first so many steps."""
        self._inputs: dict[str, str] = {}
        self._now = store.now() if store is not None else datetime.now(timezone.utc)
        self._done: list[Forecast] = []
        self._leaver: tuple[str, str] = ("", "")
        """The step above that leaves work behind, and when it did so last."""

    def steps(self, steps: Sequence[StepCell]) -> list[Forecast]:
        self._steps = steps
        for self._place, step in enumerate(steps):
            self._done.append(self._step(step, self._place))
        return self._done

    def _step(self, step: StepCell, place: int) -> Forecast:
        facts = facts_of(step)
        if facts is None:
            return self._forecast(step, RUN, Reason(ReasonCode.NO_PYTHON), None, None)
        if step.spec.skip:
            return self._forecast(step, SKIP, Reason(ReasonCode.SKIP), None, None)
        examination = add_asked(examine(facts, self._world, self._modules, display_mode=DISPLAY_MODE), step)
        self._inputs = {name: self._world.makers.get(name, "") for name in examination.inputs}
        history = [run for run in self._runs.get(step.spec.name, ()) if run.status.succeeded]
        waiting = [name for name, known in examination.inputs.items() if known.digest.startswith(_NOT_YET)]
        if waiting:
            maker = self._world.makers.get(waiting[0], "")
            self._doubt(step, facts, examination, history)
            return self._forecast(step, UNKNOWN, Reason(ReasonCode.DEPENDS, maker), examination, history)
        return self._decide(step, facts, examination, history, place)

    def _decide(
        self, step: StepCell, facts: CodeFacts, examination: Examination, history: list[StepRun], place: int
    ) -> Forecast:
        spec, world = step.spec, self._world
        if spec.no_cache:
            why = Reason(ReasonCode.NO_CACHE)
        elif examination.reasons:
            why = examination.reasons[0]
        else:
            candidate = self._candidate(examination, step, place)
            if candidate is not None and self._is_beside(history):
                world.doubt(spec.name, facts, examination, history)
                return self._forecast(
                    step, UNKNOWN, Reason(ReasonCode.DEPENDS_BESIDE, self._leaver[0]), examination, history
                )
            if candidate is not None:
                world.take(spec.name, candidate)
                return self._forecast(step, REUSE, Reason(ReasonCode.NOTHING_CHANGED), examination, [candidate])
            why = self._why(examination, history, step, place)
        same = next((run for run in history if run.key == examination.key and self._begins_like(run)), None)
        add_effects(world, facts, examination.effects)
        if same is not None:
            world.take(spec.name, same)  # it ran on the same before, and will most likely give the same
        else:
            if self._doubt(step, facts, examination, history):
                why = Reason(ReasonCode.NO_STEP_LIVE)
        if history and history[0].effects.get("behind"):
            world.doubt_all(spec.name)
            self._leaver = spec.name, _begun(history[0])
        shown = self._forecast(step, RUN, why, examination, [same] if same else history)
        return replace(shown, repeats=same.id) if same is not None else shown

    def _is_beside(self, history: list[StepRun]) -> bool:
        """Whether work that a step above leaves may go on; not where it had ended when the step ran after that."""
        return bool(self._leaver[0]) and not (
            history and _begun(history[0]) > self._leaver[1] and "beside" not in history[0].effects
        )

    def _begins_like(self, run: StepRun) -> bool:
        """Whether files and generators are as this run found them; one that no one seeded stands anywhere."""
        if run.unrepeatable:
            run = replace(run, conditions=replace(run.conditions, random_before={}))
        return conditions_hold(run, self._world)

    def _doubt(self, step: StepCell, facts: CodeFacts, found: Examination, history: Sequence[StepRun]) -> bool:
        """The step will run: what it gives is open, but for values that its code says plainly. True where it is a plain
        cell that was never recorded, and steps have told what they read of it."""
        self._world.doubt(step.spec.name, facts, found, history)
        seen = not history and self._as_seen(step, facts)
        for name, value in plain_values(step.code, self._scope_above, self._reach).items():
            with contextlib.suppress(Undigestible):
                known = known_of(value, Walker({}).fingerprint(name, value))
                self._world.bind(step.spec.name, name, known)
        return seen

    def _scope_above(self) -> Scope:
        """What names stand for above the step at hand; the caller's own."""
        bind_all((step.code for step in self._steps[self._scope_place : self._place]), self._scope)
        self._scope_place = self._place
        return self._scope.copy()

    def _reach(self) -> Reach:
        facts = (facts_of(step) for step in self._steps)
        return reach_of(item.names.functions for item in facts if item is not None)

    def _as_seen(self, step: StepCell, facts: CodeFacts) -> bool:
        """Let a plain cell that was never recorded give what steps read of it; False where none did."""
        label, seen, names = cell_label(facts.digest), False, self._world.names
        for run in sorted((run for runs in self._runs.values() for run in runs), key=_begun, reverse=True):
            for name, data in run.extra.get("given", {}).items():
                open_yet = name not in names or names[name].digest.startswith(_NOT_YET)
                if open_yet and run.inputs[name].producer == label:
                    known = names[name] = ValueFacts.from_json(data)
                    self._world.groups[name] = frozenset({name, *known.shares})
                    self._world.makers[name] = step.spec.name
                    seen = True
        return seen

    def _candidate(self, found: Examination, step: StepCell, place: int) -> StepRun | None:
        for candidate in self._candidates(found.key):
            if not conditions_hold(candidate, self._world) or not in_time(candidate, step.spec, self._now):
                continue
            lost = {name for name, known in candidate.known.items() if known.get("lost")}
            before = {name for group in candidate.conditions.shapes for name in group.split(",")}
            if lost & before or (candidate.effects.get("result") and reads_shown(self._steps[place + 1 :])):
                continue
            if not lost or not self._later_reads(place, lost):
                return candidate
        return None

    def _later_reads(self, place: int, names: set[str]) -> bool:
        found = later_reads(self._steps, place)
        return EVERYTHING in found or bool(reached(self._world.know, found) & names)

    def _candidates(self, key: str) -> list[StepRun]:
        """Results of this key: those of the notebook's own history are at hand, others (of a copy) are asked for."""
        if self._store is None:
            return []
        own = self._by_key.get(key)
        return own if own is not None else self._store.steps.candidates(key)

    def _why(self, examination: Examination, history: list[StepRun], step: StepCell, place: int) -> Reason:
        if not history:
            return Reason(ReasonCode.NEVER_RAN)
        changed = differences(history[0].ingredients, examination.ingredients)
        if changed:
            return reason(changed[0], self._world.makers)
        last = history[0]
        if last.unrepeatable:
            return last.unrepeatable[0]
        if (other := unmet(last, self._world)) is not None:
            return other
        if not in_time(last, step.spec, self._now):
            return Reason(ReasonCode.TOO_OLD)
        if last.effects.get("result") and reads_shown(self._steps[place + 1 :]):
            return Reason(ReasonCode.SHOWN_READ)
        read = {name: known for name, known in last.known.items() if self._later_reads(place, {name})}
        return first_lost(read) or first_lost(last.known) or Reason(ReasonCode.RESULT_GONE)

    def _forecast(
        self,
        step: StepCell,
        decision: str,
        why: Reason,
        examination: Examination | None,
        history: Sequence[StepRun] | None,
    ) -> Forecast:
        last = history[0] if history else None
        seconds = 0.0 if decision == REUSE else (last.duration if last is not None else None)
        facts = examination.facts if examination is not None else None
        return Forecast(
            name=step.spec.name,
            cell_id=step.cell.id,
            cell_index=step.cell.index,
            named=step.spec.named,
            decision=decision,
            reason=why,
            seconds=seconds,
            inputs=self._inputs if examination is not None else {},
            outputs=tuple(sorted(facts.names.writes)) if facts is not None else (),
            source=last.id if decision == REUSE and last is not None else None,
            label=label_of(step),
        )
