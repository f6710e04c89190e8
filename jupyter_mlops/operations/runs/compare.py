"""Two runs side by side: parameters, metrics, and what became of each step. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain.brief import IN_DETAIL, LeftOut, brief_value
from jupyter_mlops.domain.listed import listed_run
from jupyter_mlops.domain.reason import Reason
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store


@dataclass(frozen=True)
class ParameterPair:
    """A parameter in both runs. `missing` names the side that has none: "a", "b" or ""."""

    name: str
    a: Any
    b: Any
    differs: bool
    missing: str = ""


@dataclass(frozen=True)
class MetricPair:
    """A metric in both runs, and b less a where both have it."""

    name: str
    a: float | None
    b: float | None
    difference: float | None


@dataclass(frozen=True)
class StepSide:
    """What became of a step in one run. `duration` is in seconds: of the computation, or of the restoration."""

    status: Status
    version: int
    duration: float | None
    why: Reason | None

    @property
    def reused(self) -> bool:
        """Whether its result was restored, not computed."""
        return self.status is Status.REUSED


@dataclass(frozen=True)
class StepPair:
    """A step in both runs; None where a run has not come to it. `same_version` compares the code."""

    name: str
    a: StepSide | None
    b: StepSide | None
    same_version: bool


@dataclass(frozen=True)
class Comparison:
    """Runs `a` and `b`, and each parameter, metric and step of either; steps in pipeline order."""

    a: Run
    b: Run
    parameters: tuple[ParameterPair, ...]
    metrics: tuple[MetricPair, ...]
    steps: tuple[StepPair, ...]
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    """What is not there of `parameters` and `metrics`, which were compared whole."""


def compare_runs(store: Store, a: str | int, b: str | int) -> Comparison:
    """Set two runs, given by number or id, side by side. Raises `UnknownNameError` where there is no such run."""
    first, second = store.runs.get(a), store.runs.get(b)
    parameters, texts = _parameters(first, second)
    metrics = tuple(_metric(name, first, second) for name in _names(first.metrics, second.metrics))
    left_out = {
        "parameters": LeftOut(max(0, len(parameters) - IN_DETAIL.items), texts=texts),
        "metrics": LeftOut(max(0, len(metrics) - IN_DETAIL.items)),
    }
    return Comparison(
        a=listed_run(first),
        b=listed_run(second),
        parameters=parameters[: IN_DETAIL.items],
        metrics=metrics[: IN_DETAIL.items],
        left_out={name: left for name, left in left_out.items() if left},
        steps=_steps(_newest(store, first), _newest(store, second)),
    )


def _names(a: Iterable[str], b: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*a, *b)))


def _parameters(a: Run, b: Run) -> tuple[tuple[ParameterPair, ...], dict[str, int]]:
    """The parameters of either, and how long the longer of two texts is that are not shown whole."""
    pairs = []
    texts = {}
    for name in _names(a.parameters, b.parameters):
        pair = _parameter(name, a, b)
        one, size = brief_value(pair.a, IN_DETAIL.text)
        other, other_size = brief_value(pair.b, IN_DETAIL.text)
        pairs.append(replace(pair, a=one, b=other))
        if size or other_size:
            texts[name] = max(size, other_size)
    return tuple(pairs), texts


def _parameter(name: str, a: Run, b: Run) -> ParameterPair:
    missing = "a" if name not in a.parameters else "b" if name not in b.parameters else ""
    one, other = a.parameters.get(name), b.parameters.get(name)
    # 1, 1.0 and True are equal to Python, and not the same to the one who reads the comparison
    differs = bool(missing) or type(one) is not type(other) or one != other
    return ParameterPair(name, one, other, differs, missing)


def _metric(name: str, a: Run, b: Run) -> MetricPair:
    one, other = a.metrics.get(name), b.metrics.get(name)
    return MetricPair(name, one, other, None if one is None or other is None else other - one)


def _newest(store: Store, run: Run) -> dict[str, StepRun]:
    """The newest step run of each step: in a live kernel a cell is run as often as its author likes."""
    newest: dict[str, StepRun] = {}
    for step_run in store.steps.listed(run_id=run.id):
        newest.setdefault(step_run.step, step_run)
    return newest


def _steps(a: dict[str, StepRun], b: dict[str, StepRun]) -> tuple[StepPair, ...]:
    positions = {name: step_run.position for name, step_run in {**a, **b}.items()}
    pairs = []
    for name in sorted(positions, key=lambda name: (positions[name], name)):
        one, other = a.get(name), b.get(name)
        same = one is not None and other is not None and one.version_digest == other.version_digest
        pairs.append(StepPair(name, _side(one), _side(other), same))
    return tuple(pairs)


def _side(step_run: StepRun | None) -> StepSide | None:
    if step_run is None:
        return None
    return StepSide(step_run.status, step_run.version, step_run.duration, step_run.why)
