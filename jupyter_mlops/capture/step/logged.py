"""What a step names to be logged of its run: metrics and parameters, taken from the variables that hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_mlops.capture.session.events import AuthorWarned, StepListener
from jupyter_mlops.domain.step_spec import StepSpec
from jupyter_mlops.secrets.known import redact

if TYPE_CHECKING:
    from jupyter_mlops.capture.session.run import RunHandle


def metrics_of(spec: StepSpec, namespace: Mapping[str, Any], listener: StepListener) -> dict[str, float]:
    """The metrics a step names; the author hears of those that are none."""
    metrics, problems = named_metrics(spec, namespace)
    for problem in problems:
        listener.on_event(AuthorWarned(problem, "Bind a number to that name in the step, or change --metrics."))
    return metrics


def named_metrics(spec: StepSpec, namespace: Mapping[str, Any]) -> tuple[dict[str, float], list[str]]:
    """The metrics a step names, as finite-or-not floats, and a sentence for each that is no number."""
    metrics: dict[str, float] = {}
    problems: list[str] = []
    for name in spec.metrics:
        if name not in namespace:
            problems.append(
                f"Metric '{name}' of step '{spec.name}' was not logged: there is no variable with that name."
            )
            continue
        try:
            if isinstance(namespace[name], (str, bytes, bytearray)):
                raise TypeError
            metrics[name] = float(namespace[name])
        except (TypeError, ValueError):
            kind = type(namespace[name]).__name__
            problems.append(f"Metric '{name}' of step '{spec.name}' was not logged: it is a {kind}, not a number.")
    for name, value in list(metrics.items()):
        if not math.isfinite(value):
            problems.append(f"Metric '{name}' of step '{spec.name}' was not logged: it is {value}.")
            del metrics[name]
    return metrics, problems


def log_parameters(
    spec: StepSpec, namespace: Mapping[str, Any], run: RunHandle, run_id: str, listener: StepListener
) -> None:
    """Log the variables that `--params` names as parameters of the run."""
    values = {}
    for name in spec.params:
        value = namespace.get(name)
        if value is None or isinstance(value, (bool, int, float, str)):
            values[name] = redact(value)
        else:
            told = f"Parameter '{name}' of step '{spec.name}' was not logged: it is a {type(value).__name__}."
            listener.on_event(AuthorWarned(told, "List variables that hold a number, a text or true/false."))
    if values:
        now = run.store.now()
        run.saver.do(lambda: run.store.runs.add_parameters(run_id, values, now=now))
