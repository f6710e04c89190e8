"""The state of each step of a notebook as it stands now: would its newest result be reused, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_mlops.analysis.code import CodeFacts, cell_facts
from jupyter_mlops.analysis.notebook import StepCell, steps_of
from jupyter_mlops.analysis.parameters import checked_parameters
from jupyter_mlops.capture.digest import Walker
from jupyter_mlops.domain.parameter import Parameter
from jupyter_mlops.domain.pipeline import Cell, PipelineStatus, Problem, StepStatus
from jupyter_mlops.domain.status import Status, StepState
from jupyter_mlops.domain.step import StepInput, StepRun
from jupyter_mlops.errors import InputError
from jupyter_mlops.store import processes
from jupyter_mlops.store.digests import file_digest
from jupyter_mlops.store.store import Store


def pipeline_status(store: Store | None, notebook: str, cells: Sequence[Cell]) -> PipelineStatus:
    """The steps of `cells` in order. `notebook` is the path as the index names it; `store` None where nothing ever ran."""
    steps, problems = steps_of(cells)
    parameters: tuple[Parameter, ...] = ()
    try:
        parameters = checked_parameters(cells)
    except InputError as error:
        tagged = next((cell.id for cell in cells if "parameters" in cell.tags), None)
        problems = (*problems, Problem(error.message, error.hint, tagged))
    view = _View(store, notebook, cells, steps, parameters)
    return PipelineStatus(notebook, tuple(view.status(step) for step in steps), parameters, problems)


class _View:
    """Walks the notebook from the top, knowing who bound each name last and what came of it."""

    def __init__(
        self,
        store: Store | None,
        notebook: str,
        cells: Sequence[Cell],
        steps: Sequence[StepCell],
        parameters: Sequence[Parameter],
    ) -> None:
        walker = Walker({})
        self._defaults = {
            item.name: walker.fingerprint(item.name, item.default).digest for item in parameters if item.has_default
        }
        self._declared = {item.name for item in parameters}
        self._facts = {cell.index: _facts_of(cell, steps) for cell in cells if cell.kind == "code"}
        self._names = {step.cell.index: step.spec.name for step in steps}
        self._newest: dict[str, list[StepRun]] = {step.spec.name: [] for step in steps}
        self._numbers: dict[str, int] = {}
        self._fresh: dict[str, StepRun] = {}
        if store is not None:
            for run in store.steps.runs(notebook=notebook):
                if run.step in self._newest:
                    self._newest[run.step].append(run)
            self._numbers = {run.id: run.number for run in store.runs.list()}

    def status(self, step: StepCell) -> StepStatus:
        """One step's state, with the figures of the run that stands for it; those before it must have been asked for."""
        name = step.spec.name
        runs = self._newest[name]
        state, reason = self._state(step, runs)
        shown = self._fresh.get(name) or (runs[0] if runs else None)
        producers = self._producers(step.cell.index)
        upstream = sorted({label for label in producers.values() if not label.startswith("cell:")})
        return StepStatus(
            name=name,
            cell_id=step.cell.id,
            cell_index=step.cell.index,
            state=state,
            reason=reason,
            upstream=tuple(upstream),
            version=shown.version if shown else None,
            reused=shown is not None and shown.status is Status.REUSED,
            duration=shown.duration if shown else None,
            metrics=shown.metrics if shown else {},
            ended_at=shown.ended_at if shown else None,
            run_number=self._numbers.get(shown.run_id) if shown else None,
        )

    def _state(self, step: StepCell, runs: list[StepRun]) -> tuple[StepState, str]:
        if not runs:
            return StepState.NEVER_RUN, "it has not run yet"
        newest = runs[0]
        if newest.status is Status.RUNNING:
            if processes.is_alive(newest.pid, newest.pid_started):
                return StepState.RUNNING, ""
            return StepState.FAILED, "the kernel that ran it is gone"
        if newest.status in (Status.FAILED, Status.LOST, Status.CANCELED):
            return StepState.FAILED, newest.error.splitlines()[0] if newest.error else f"its last run {newest.status}"
        facts = self._facts.get(step.cell.index)
        if facts is None:
            return StepState.STALE, "its code is not valid Python"
        reasons = []
        for run in runs:
            if run.status.succeeded:
                reason = self._stale(step, facts, run)
                if reason is None:
                    self._fresh[step.spec.name] = run
                    note = f"runs always: it {run.unrepeatable}" if run.unrepeatable else ""
                    return StepState.FRESH, note
                reasons.append(reason)
        return StepState.STALE, reasons[0]

    def _stale(self, step: StepCell, facts: CodeFacts, run: StepRun) -> str | None:
        """Why a result does not stand for the step as it is now; None where it does."""
        if facts.digest != run.version_digest:
            return "its code changed"
        if step.spec.model != run.ingredients.get("model"):
            return "the model it names changed"
        producers = self._producers(step.cell.index)
        for name, input_ in run.inputs.items():
            label = producers.get(name, "") or self._maker_seen(name, input_, step.cell.index)
            if name in self._defaults:
                if self._defaults[name] != input_.digest:
                    return f"parameter '{name}' had another value"
            elif label == _GONE:
                return f"the cell that makes its input '{name}' is gone"
            elif label.startswith("cell:"):
                if input_.producer.startswith("cell:") and label != input_.producer:
                    return f"the cell that makes its input '{name}' changed"
            elif label:
                producer = self._fresh.get(label)
                if producer is None:
                    return f"step '{label}', which makes its input '{name}', is not fresh"
                if producer.outputs.get(name, input_.digest) != input_.digest:
                    return f"its input '{name}' changed (from step {label})"
        for path, digest in run.conditions.files.items():
            if file_digest(path) != digest:
                return f"the file {path} changed"
        return None

    def _maker_seen(self, name: str, input_: StepInput, index: int) -> str:
        """What was seen to bind an input of which the code above does not show it: a step, a cell still there, or none."""
        maker = input_.producer
        if name in self._declared or not maker.startswith("cell:"):
            return maker
        above = (facts for place, facts in self._facts.items() if place < index and facts is not None)
        return maker if any(_label(facts) == maker for facts in above) else _GONE

    def _producers(self, index: int) -> dict[str, str]:
        """What the step in cell `index` reads → what binds it above: a step's name or `cell:DIGEST`."""
        facts = self._facts.get(index)
        producers: dict[str, str] = {}
        for name in facts.names.reads if facts else ():
            for above in sorted((place for place in self._facts if place < index), reverse=True):
                other = self._facts[above]
                if other is not None and name in other.names.writes:
                    producers[name] = self._names.get(above) or _label(other)
                    break
        return producers


_GONE = "cell:gone"


def _label(facts: CodeFacts) -> str:
    """How the record names a cell that is no step, as `capture.session` does."""
    return f"cell:{facts.digest[:16]}"


def _facts_of(cell: Cell, steps: Sequence[StepCell]) -> CodeFacts | None:
    code = next((step.code for step in steps if step.cell.index == cell.index), cell.source)
    try:
        return cell_facts(code)
    except SyntaxError:
        return None
