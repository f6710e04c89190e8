"""The state of each step of a notebook, in the kernel that works with it, in the run that left it behind, or as recorded.

What a job did to a step is told of its run, not of the notebook: here a job counts only as one that left a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from jupyter_mlops.analysis.parameters.declared import checked_parameters
from jupyter_mlops.analysis.pipeline.cells import StepCell, label_of
from jupyter_mlops.capture.forecast import forecast, steps_in
from jupyter_mlops.domain.brief import IN_LIST, brief_values
from jupyter_mlops.domain.cell import Cell, Problem
from jupyter_mlops.domain.listed import listed_parameter
from jupyter_mlops.domain.parameter import Parameter
from jupyter_mlops.domain.pipeline import PipelineStatus, StepStatus
from jupyter_mlops.domain.plan import REUSE, SKIP, Forecast
from jupyter_mlops.domain.reason import UNREAD, Reason, ReasonCode
from jupyter_mlops.domain.reason_text import WORDS, sentence
from jupyter_mlops.domain.status import Status, StepState
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.step_spec import is_named
from jupyter_mlops.errors import InputError
from jupyter_mlops.operations.steps.in_view import KERNEL, RUN, InView, find_view
from jupyter_mlops.operations.steps.plan import working
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store

_ENDED = {
    Status.COMPLETED: (StepState.COMPLETED, ""),
    Status.REUSED: (StepState.REUSED, ""),
    Status.CANCELED: (StepState.CANCELED, "it was stopped before it ended"),
}


_ONCE_MORE = frozenset({ReasonCode.RESULT_GONE, ReasonCode.TOO_OLD, ReasonCode.UNSAVED, ReasonCode.DAMAGED})
"""Why a step runs again whose next result will be reused."""


def pipeline_status(
    store: Store | None,
    notebook: str,
    cells: Sequence[Cell],
    *,
    everything: bool = False,
    view: InView | None = None,
) -> PipelineStatus:
    """The steps of `cells` in order: those that were named; all code cells where none was, or where they are captured
    too, or with `everything`.

    `notebook` is the path as the index names it; `store` None where nothing ever ran. Without a `view` it is told from
    the record: what the notebook's last live session did, and which results are there.
    """
    view = view or find_view(store, notebook)
    own = tuple(working(cells))
    every, problems = steps_in(own)
    parameters: tuple[Parameter, ...] = ()
    try:
        parameters = tuple(map(listed_parameter, checked_parameters(cells)))
    except InputError as error:
        tagged = next((cell.id for cell in cells if "parameters" in cell.tags), None)
        problems = (*problems, Problem(error.message, error.hint, tagged))
    record = _read(store, notebook, own, view)
    captured = view.kind != RUN and not all(is_named(name) for name in record.here)
    chosen = [step for step in every if everything or captured or step.spec.named] or list(every)
    names = frozenset(step.spec.name for step in chosen)
    return PipelineStatus(
        notebook,
        tuple(_status(step, record, names) for step in chosen),
        parameters,
        problems,
        in_view=view.kind,
        run_number=view.left_by.number if view.left_by else None,
        source=view.left_by.notebook if view.left_by else None,
        captured=captured,
        hidden=len(every) - len(chosen),
    )


@dataclass(frozen=True)
class _KnownSteps:
    """What is known: `here`, what the run in view did of each step; `told`, what would become of each cell's step now;
    `others`, the step runs that these refer to; `runs`, number and kind of the runs of all of them."""

    view: InView
    notebook: str
    here: Mapping[str, StepRun]
    told: Mapping[int, Forecast]
    others: Mapping[str, StepRun] = field(default_factory=dict)
    runs: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    def kept(self, told: Forecast) -> StepRun | None:
        """The step run whose result would be reused, or that ran on the same what will run again."""
        return self.others.get(told.source or told.repeats or "")

    def number(self, run: StepRun) -> int | None:
        """The number of the run that a step run belongs to."""
        return self.runs.get(run.run_id, (None, ""))[0]


def _read(store: Store | None, notebook: str, cells: Sequence[Cell], view: InView) -> _KnownSteps:
    if store is None:
        told = forecast(None, notebook, cells)
        return _KnownSteps(view, notebook, {}, {item.cell_index: item for item in told})
    here = store.steps.last_of_run(view.run_id) if view.run_id is not None else {}
    others = _some(store, (run.reused_from for run in here.values()))
    computed = {name: others.get(run.reused_from or "", run) for name, run in here.items() if run.status.succeeded}
    known_as = view.left_by.notebook if view.left_by is not None else notebook
    told = forecast(store, known_as, cells, computed)
    others |= _some(store, (item.source or item.repeats for item in told))
    runs = store.runs.numbers_and_kinds({run.run_id for run in (*here.values(), *others.values())})
    return _KnownSteps(view, known_as, here, {item.cell_index: item for item in told}, others, runs)


def _some(store: Store, ids: Iterable[str | None]) -> dict[str, StepRun]:
    wanted = {name for name in ids if name is not None}
    return store.steps.some(wanted) if wanted else {}


def _status(step: StepCell, record: _KnownSteps, shown: frozenset[str]) -> StepStatus:
    """One step's state, with the figures of the step run that stands for it."""
    told, here = record.told[step.cell.index], record.here.get(step.spec.name)
    kept = record.kept(told)
    if here is not None and record.view.kind not in (KERNEL, RUN) and _is_outdated(here, told, kept):
        here = None
    state, reason, always = _state(record, told, here, kept)
    reason = reason if len(reason) <= WORDS else f"{reason[:WORDS]}…"
    figures = here or (kept if told.source is not None else None)
    is_own = figures is not None and figures.notebook == record.notebook
    of_notebook = here is not None or (
        is_own and record.runs.get(figures.run_id if figures else "", (0, ""))[1] == "session"
    )
    source = record.others.get(figures.reused_from or "") if figures is not None else None
    metrics, left = brief_values(figures.metrics if figures and of_notebook else {}, IN_LIST)
    return StepStatus(
        name=step.spec.name,
        cell_id=step.cell.id,
        cell_index=step.cell.index,
        state=state,
        reason=reason,
        upstream=tuple(sorted({maker for maker in told.inputs.values() if maker in shown})),
        version=figures.version if figures and (here is not None or is_own) else None,
        reused=figures is not None and of_notebook and figures.status is Status.REUSED,
        duration=figures.duration if figures and of_notebook else None,
        metrics=metrics,
        ended_at=figures.ended_at if figures and of_notebook else None,
        run_number=record.number(figures) if figures else None,
        label=label_of(step),
        computed=source.duration if source is not None and of_notebook else None,
        named=step.spec.named,
        here=here is not None,
        always=always,
        left_out={"metrics": left} if left else {},
    )


class _State(NamedTuple):
    """A step's state, why, and whether it `always` runs, for that reason."""

    state: StepState
    reason: str = ""
    always: bool = False


def _is_outdated(here: StepRun, told: Forecast, kept: StepRun | None) -> bool:
    """Whether there is a result now for what the last session's step run did not give; no kernel holds another."""
    return told.decision == REUSE and kept is not None and not (here.status.succeeded and here.key == kept.key)


def _state(record: _KnownSteps, told: Forecast, here: StepRun | None, kept: StepRun | None) -> _State:
    if record.view.kind == RUN:
        return _ended(here) if here is not None else _State(StepState.NEVER_RUN, "the run did not reach it")
    if here is None:
        return _unseen(record, told, kept)
    if not here.status.succeeded:
        return _ended(here)
    same = kept is None or kept.key == here.key
    if told.decision == SKIP or (told.decision == REUSE and same):
        return _State(StepState.FRESH)
    if told.decision == REUSE and kept is not None:
        return _State(StepState.STALE, f"changed since it ran here; {_there(record, kept)}")
    if told.repeats is not None and same:
        return _repeated(StepState.FRESH, told)
    return _State(StepState.STALE, sentence(told.reason))


def _ended(run: StepRun) -> _State:
    """How a step run ended, or that it goes on."""
    if run.status in _ENDED:
        return _State(*_ENDED[run.status])
    if run.status is Status.RUNNING:
        if processes.is_alive(run.pid, run.pid_started):
            return _State(StepState.RUNNING)
        return _State(StepState.FAILED, sentence(Reason(ReasonCode.KERNEL_GONE)))
    ended = sentence(Reason(ReasonCode.ENDED, run.status.value))
    return _State(StepState.FAILED, run.error.splitlines()[0] if run.error else ended)


def _unseen(record: _KnownSteps, told: Forecast, kept: StepRun | None) -> _State:
    """The state of a step that was not executed here: whether there is a result for it that would be reused."""
    if told.decision == REUSE and kept is not None:
        return _State(StepState.FRESH, _there(record, kept))
    if told.repeats is not None:
        return _repeated(StepState.FRESH, told)
    if told.seconds is None and told.reason.code in UNREAD:
        return _repeated(StepState.NEVER_RUN, told)
    if told.seconds is None:
        return _State(StepState.NEVER_RUN, sentence(Reason(ReasonCode.NEVER_RAN)))
    return _State(StepState.STALE, sentence(told.reason))


def _repeated(state: StepState, told: Forecast) -> _State:
    """Of a step that will run: once more, as its result is lost or too old, or always."""
    always = told.reason.code not in _ONCE_MORE
    return _State(state, f"runs {'always' if always else 'again'}: {sentence(told.reason)}", always)


def _there(record: _KnownSteps, kept: StepRun) -> str:
    number = record.number(kept)
    return "a result is available" if number is None else f"a result from run {number} is available"
