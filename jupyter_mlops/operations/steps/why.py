"""`why`: the first difference that made a step run, told concretely, and what had caused it further up. Reads only."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_mlops.analysis.code.bounds import LONGEST
from jupyter_mlops.analysis.pipeline.cells import all_steps_of
from jupyter_mlops.analysis.pipeline.reasons import differences, reason
from jupyter_mlops.capture.key.conditions import changed as changed_condition
from jupyter_mlops.capture.step.record import without_magic
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.json_text import loads
from jupyter_mlops.domain.plan import REUSE, SKIP, UNKNOWN, Forecast
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.reason_text import sentence
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.step_spec import is_cell
from jupyter_mlops.errors import StoreError, UnknownNameError
from jupyter_mlops.operations.steps import plan

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

DEEPEST = 12
SHOWN = 6
PAGE = 8
"""So many runs of a step are read at once to find the one before, and `FARTHEST` at most."""
FARTHEST = 200
_CHANGED = ReasonCode.INPUT_CHANGED
_OF_INPUTS = {_CHANGED, ReasonCode.INPUT_MAY_CHANGE}


@dataclass(frozen=True)
class Cause:
    """Why `step` ran: `reason`, with `detail` in lines (a unified diff where `is_diff`); `cause` is what was behind it
    further up."""

    step: str
    reason: Reason
    detail: tuple[str, ...] = ()
    is_diff: bool = False
    cause: Cause | None = None
    did: str = "ran again"

    @property
    def sentence(self) -> str:
        """The whole chain, such as "its input 'df' changed, because step 'clean' ran again, because its code changed"."""
        text = sentence(self.reason)
        if self.cause is None:
            return text
        return f"{text}, because step '{self.cause.step}' {self.cause.did}, because {self.cause.sentence}"

    @property
    def first(self) -> Cause:
        """The end of the chain."""
        return self if self.cause is None else self.cause.first


@dataclass(frozen=True)
class ExplainedRun:
    """A step run, and why it was executed; `cause` is None for a reuse and for a first run."""

    run: StepRun
    cause: Cause | None


def why_ran(store: Store, step: str, notebook: str | None = None, *, limit: int = 3) -> list[ExplainedRun]:
    """The newest runs of a step, newest first, each with what made it run."""
    return [ExplainedRun(run, _Teller(store, run.notebook).cause(run)) for run in _runs(store, step, notebook, limit)]


def _runs(store: Store, step: str, notebook: str | None, limit: int) -> Sequence[StepRun]:
    return store.steps.listed(step=step, notebook=notebook, limit=limit)


def why_would(store: Store | None, notebook: str, cells: Sequence[Cell], step: str) -> Cause | None:
    """Why a step would run now, and what is behind that further up; None where it would be reused."""
    steps = {item.name: item for item in plan.forecast(store, notebook, cells)}
    codes = {item.spec.name: without_magic(item.code) for item in all_steps_of(cells)[0]}
    return _would(store, notebook, steps, codes, step, 0)


def _would(
    store: Store | None, notebook: str, steps: Mapping[str, Forecast], codes: Mapping[str, str], name: str, depth: int
) -> Cause | None:
    step = steps.get(name)
    if step is None or step.decision in (REUSE, SKIP):
        return None
    open_ones = {item: maker for item, maker in step.inputs.items() if maker in steps and maker != name}
    open_ones = {item: maker for item, maker in open_ones.items() if steps[maker].decision not in (REUSE, SKIP)}
    changed = ReasonCode.INPUT_MAY_CHANGE if step.decision == UNKNOWN else step.reason.code
    if open_ones and depth < DEEPEST and changed in _OF_INPUTS:
        item = _told(step.reason, open_ones)
        above = _would(store, notebook, steps, codes, open_ones[item], depth + 1)
        return Cause(name, Reason(changed, item), cause=above, did="would run")
    detail: tuple[str, ...] = ()
    if step.reason.code is ReasonCode.CODE_CHANGED and store is not None:
        last = store.steps.listed(step=name, notebook=notebook, limit=1)
        versions = store.steps.versions(name, notebook, numbers=[last[0].version]) if last else []
        known = {item.number: item.source for item in versions}
        if last and last[0].version in known:
            names = f"{name} v{last[0].version}", f"{name} now"
            detail = code_diff(known[last[0].version], codes.get(name, ""), names)
    return Cause(name, step.reason, detail, is_diff=bool(detail), did="would run")


def _told(reason: Reason, open_ones: Mapping[str, str]) -> str:
    """Which of the inputs that are open, with their makers, a reason is about; the first where it is of none."""
    about = reason.detail
    if reason.code is ReasonCode.DEPENDS:
        return next((item for item, maker in open_ones.items() if maker == about), next(iter(open_ones)))
    return about if about in open_ones else next(iter(open_ones))


def code_diff(before: str, after: str, names: tuple[str, str]) -> tuple[str, ...]:
    """A unified diff of two versions' code; of code that is too long to be compared, how long it is."""
    if max(len(before), len(after)) > LONGEST:
        sizes = (f"{name}: {len(code):,} characters" for name, code in zip(names, (before, after), strict=True))
        return (*sizes, f"More than {LONGEST:,} are not compared line by line.")
    return tuple(difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="", n=2))


class _Teller:
    """Knows one notebook's record."""

    def __init__(self, store: Store, notebook: str) -> None:
        self._store = store
        self._notebook = notebook
        self._history: dict[str, list[StepRun]] = {}
        self._runs: dict[str, Sequence[StepRun]] = {}

    def cause(self, run: StepRun, depth: int = 0) -> Cause | None:
        """Why a run was executed: the first thing that differs from the run of the step before it."""
        before = self._before(run)
        if run.reused_from or before is None:
            return None
        changed = differences(before.ingredients, run.ingredients)
        if changed:
            return self._difference(changed[0], before, run, depth)
        for path, digest in before.conditions.files.items():
            if run.conditions.files.get(path, digest) != digest:
                return Cause(run.step, changed_condition(path))
        drawn, now = before.conditions.random_before, run.conditions.random_before
        if any(now.get(name, digest) != digest for name, digest in drawn.items()):
            return Cause(run.step, Reason(ReasonCode.RANDOM_CHANGED, _listed(drawn)))
        return None if run.why is None else Cause(run.step, run.why)

    def _difference(self, name: str, before: StepRun, run: StepRun, depth: int) -> Cause:
        producers = {item: input_.producer for item, input_ in run.inputs.items()}
        told = reason(name, producers)
        kind, _, rest = name.partition(":")
        if kind == "code":
            return Cause(run.step, told, self._code(before, run), is_diff=True)
        if kind == "input":
            return self._input(rest, before, run, depth)
        if kind == "packages":
            return Cause(run.step, told, self._packages(before, run))
        if kind == "python":
            return Cause(run.step, told, (f"{before.ingredients.get(name, '?')} → {run.ingredients.get(name, '?')}",))
        if name not in before.ingredients or name not in run.ingredients:
            return Cause(run.step, told, ("it was not there before" if name in run.ingredients else "it is gone",))
        return Cause(run.step, told)

    def _input(self, name: str, before: StepRun, run: StepRun, depth: int) -> Cause:
        parameter = self._parameter(name, before, run)
        if parameter:
            return Cause(run.step, Reason(ReasonCode.PARAMETER_CHANGED, name, parameter))
        maker = self._maker(name, run)
        if is_cell(maker) or not maker:
            return Cause(run.step, Reason(_CHANGED if name in run.inputs else ReasonCode.INPUT_GONE, name))
        made = self._newest_before(maker, run)
        if made is None or depth >= DEEPEST:
            return Cause(run.step, Reason(_CHANGED, name, maker))
        if made.reused_from:
            return Cause(run.step, Reason(ReasonCode.INPUT_EARLIER_RESULT, name, maker))
        above = self.cause(made, depth + 1) or (Cause(maker, made.why) if made.why is not None else None)
        return Cause(run.step, Reason(_CHANGED, name), cause=above)

    def _maker(self, name: str, run: StepRun) -> str:
        """The step that made an input as it was: the last one in the run that gave this value, be it by a change in place."""
        input_ = run.inputs.get(name)
        if input_ is None:
            return ""
        if run.run_id not in self._runs:
            self._runs[run.run_id] = self._store.steps.listed(run_id=run.run_id)
        for item in self._runs[run.run_id]:
            if _earlier(item, run) and item.step != run.step and item.outputs.get(name) == input_.digest:
                return item.step
        return input_.producer

    def _parameter(self, name: str, before: StepRun, run: StepRun) -> str:
        """`0.05 → 0.1` where a run's parameter of this name was another; "" where it is none."""
        one, other = self._run(before), self._run(run)
        if one is None or other is None or name not in one.parameters or name not in other.parameters:
            return ""
        values = one.parameters[name], other.parameters[name]
        return f"{values[0]!r} → {values[1]!r}" if values[0] != values[1] else ""

    def _code(self, before: StepRun, run: StepRun) -> tuple[str, ...]:
        versions = self._store.steps.versions(run.step, self._notebook, numbers=(before.version, run.version))
        known = {item.number: item.source for item in versions}
        names = f"{run.step} v{before.version}", f"{run.step} v{run.version}"
        return code_diff(known.get(before.version, ""), known.get(run.version, ""), names)

    def _packages(self, before: StepRun, run: StepRun) -> tuple[str, ...]:
        """Which packages came, went or have another version, as far as the runs' environments are recorded."""
        one, other = self._environment(before), self._environment(run)
        if not one or not other:
            return ()
        lines = [
            f"{name} {one.get(name, '(not installed)')} → {other.get(name, '(not installed)')}"
            for name in sorted({**one, **other}, key=str.lower)
            if one.get(name) != other.get(name)
        ]
        return (*lines[:SHOWN], *([f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []))

    def _environment(self, step_run: StepRun) -> dict[str, str]:
        run = self._run(step_run)
        if run is None or run.environment is None:
            return {}
        try:
            packages = loads(self._store.objects.get(run.environment))["packages"]
        except (StoreError, ValueError, KeyError):
            return {}  # why must answer where a part of the record is gone
        return {name: version for name, _, version in (str(item).partition("==") for item in packages)}

    def _run(self, step_run: StepRun) -> Run | None:
        try:
            return self._store.runs.get(step_run.run_id)
        except UnknownNameError:
            return None

    def _before(self, run: StepRun) -> StepRun | None:
        return self._newest_before(run.step, run)

    def _newest_before(self, step: str, run: StepRun) -> StepRun | None:
        """The newest run of a step that began before `run`; what is read ends there, since the record may be long."""
        known = self._history.setdefault(step, [])
        place = 0
        while True:
            for item in known[place:]:
                if _earlier(item, run):
                    return item
            place = len(known)
            if place >= FARTHEST:
                return None
            known += self._store.steps.listed(step=step, notebook=self._notebook, limit=PAGE, after=place)
            if len(known) == place:
                return None


def _earlier(one: StepRun, other: StepRun) -> bool:
    """Whether a run began before another, which is another."""
    if one.id == other.id or one.started_at is None or other.started_at is None:
        return False
    return (one.started_at, one.position) < (other.started_at, other.position)


def _listed(names: Mapping[str, str]) -> str:
    return " and ".join(names)
