"""The state of each step of a notebook as it stands now: would its newest result be reused, and if not, why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from jupyter_mlops.analysis.notebook import StepCell, label_of
from jupyter_mlops.analysis.parameters import checked_parameters
from jupyter_mlops.capture.forecast import forecast, steps_in
from jupyter_mlops.domain.parameter import Parameter
from jupyter_mlops.domain.pipeline import Cell, PipelineStatus, Problem, StepStatus
from jupyter_mlops.domain.plan import REUSE, SKIP, Forecast
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.reason_text import sentence
from jupyter_mlops.domain.status import Status, StepState
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.errors import InputError
from jupyter_mlops.operations.plan import working
from jupyter_mlops.store import processes
from jupyter_mlops.store.store import Store


def pipeline_status(
    store: Store | None, notebook: str, cells: Sequence[Cell], *, everything: bool = False
) -> PipelineStatus:
    """The steps of `cells` in order: those that were named; all code cells where none was, or with `everything`.

    `notebook` is the path as the index names it; `store` None where nothing ever ran.
    """
    own = tuple(working(cells))
    every, problems = steps_in(own)
    steps = list(every) if everything else [step for step in every if step.spec.named] or list(every)
    parameters: tuple[Parameter, ...] = ()
    try:
        parameters = checked_parameters(cells)
    except InputError as error:
        tagged = next((cell.id for cell in cells if "parameters" in cell.tags), None)
        problems = (*problems, Problem(error.message, error.hint, tagged))
    told = {item.cell_index: item for item in forecast(store, notebook, own)}
    names = frozenset(step.spec.name for step in steps)
    newest = store.steps.last(notebook, names) if store is not None else {}
    numbers = store.runs.numbers(run.run_id for run in newest.values()) if store is not None else {}
    states = tuple(_status(step, told[step.cell.index], newest.get(step.spec.name), names, numbers) for step in steps)
    return PipelineStatus(notebook, _with_times(store, states, newest), parameters, problems)


def _with_times(
    store: Store | None, states: tuple[StepStatus, ...], newest: Mapping[str, StepRun]
) -> tuple[StepStatus, ...]:
    """Add how long the results that were reused had taken to compute."""
    reused = {step.name: newest[step.name].reused_from or "" for step in states if step.reused}
    if store is None or not reused:
        return states
    took = store.steps.durations(reused.values())
    return tuple(replace(step, computed=took.get(reused.get(step.name, ""))) for step in states)


def _status(
    step: StepCell,
    told: Forecast,
    newest: StepRun | None,
    shown: Collection[str],
    numbers: Mapping[str, int],
) -> StepStatus:
    """One step's state, with the figures of the run that stands for it."""
    state, reason = _state(told, newest)
    return StepStatus(
        name=step.spec.name,
        cell_id=step.cell.id,
        cell_index=step.cell.index,
        state=state,
        reason=reason,
        upstream=tuple(sorted({maker for maker in told.inputs.values() if maker in shown})),
        version=newest.version if newest else None,
        reused=newest is not None and newest.status is Status.REUSED,
        duration=newest.duration if newest else None,
        metrics=newest.metrics if newest else {},
        ended_at=newest.ended_at if newest else None,
        run_number=numbers.get(newest.run_id) if newest else None,
        label=label_of(step),
    )


def _state(told: Forecast, newest: StepRun | None) -> tuple[StepState, str]:
    if newest is None and told.source is None:
        return StepState.NEVER_RUN, sentence(Reason(ReasonCode.NEVER_RAN))
    if newest is not None and newest.status is Status.RUNNING:
        if processes.is_alive(newest.pid, newest.pid_started):
            return StepState.RUNNING, ""
        return StepState.FAILED, sentence(Reason(ReasonCode.KERNEL_GONE))
    if newest is not None and newest.status in (Status.FAILED, Status.LOST, Status.CANCELED):
        return StepState.FAILED, _error(newest)
    if told.decision in (REUSE, SKIP):
        return StepState.FRESH, ""
    if told.repeats is not None:
        return StepState.FRESH, f"runs always: {sentence(told.reason)}"
    return StepState.STALE, sentence(told.reason)


def _error(newest: StepRun) -> str:
    return newest.error.splitlines()[0] if newest.error else sentence(Reason(ReasonCode.ENDED, newest.status.value))
