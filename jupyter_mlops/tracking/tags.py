"""What an MLflow run is told of a Run or a StepRun: name, parameters, tags, times, status. Pure functions.

MLflow limits the length of values. What is too long is cut, and a tag says so and where the whole is.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.domain.reason_text import phrases, sentence
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.wire import to_wire

ID = "mlops.id"
"""Tag with the id of the Run or StepRun: how an MLflow run is found again."""
TAG_LIMIT = 5000
"""Characters; older tracking servers refuse more."""

STATUS = {
    Status.PENDING: "SCHEDULED",
    Status.RUNNING: "RUNNING",
    Status.COMPLETED: "FINISHED",
    Status.REUSED: "FINISHED",
    Status.FAILED: "FAILED",
    Status.CANCELED: "KILLED",
    Status.LOST: "FAILED",
}

_GIT = {"commit": "mlflow.source.git.commit", "branch": "mlflow.source.git.branch", "repo": "mlflow.source.git.repoURL"}

_TOLD_OTHERWISE = {f"git{mark}{name}" for mark in "._" for name in (*_GIT, "dirty")}


def run_name(run: Run) -> str:
    """The name shown in MLflow: the notebook's and the run's number."""
    return f"{PurePosixPath(run.notebook).stem} #{run.number}"


def source_tags(run: Run) -> dict[str, str]:
    """The source that MLflow's own guess gets wrong in a kernel (it says `ipykernel_launcher.py`)."""
    found = {"mlflow.source.name": run.notebook, "mlflow.source.type": "NOTEBOOK"}
    for name, tag in _GIT.items():
        value = _git(run.tags, name)
        if value:
            found[tag] = value
    return found


def run_tags(run: Run) -> dict[str, str]:
    """All tags of a pipeline's MLflow run."""
    tags = {
        ID: run.id,
        "mlops.number": str(run.number),
        "mlops.kind": run.kind.value,
        "mlops.status": run.status.value,
        **{_own_name(name): str(value) for name, value in run.tags.items() if name not in _TOLD_OTHERWISE},
        **_control_tags(run),
        **source_tags(run),
    }
    if dirty := _git(run.tags, "dirty"):
        tags["mlops.git_dirty"] = dirty
    if run.schedule_id:
        tags["mlops.schedule_id"] = run.schedule_id
    if run.error is not None:
        tags["mlops.ended"] = run.error.cause
        tags["mlops.error"] = run.error.message or f"{run.error.ename}: {run.error.evalue}"
        if run.error.step:
            tags["mlops.failed_step"] = run.error.step
    return {name: _cut(value) for name, value in tags.items()}


def _control_tags(run: Run) -> dict[str, str]:
    """What decided about a run, as far as people want to see it."""
    tags = {
        "mlops.kernel": run.kernel_name or "",
        "mlops.experiment": run.tracked_at.experiment,
        "mlops.experiment_id": run.tracked_at.experiment_id,
        "mlops.asked_as": run.asked_as or "",
        "mlops.host": run.host or "",
        "mlops.stop": run.stop,
        "mlops.source_changed": ", ".join(run.changed_sources),
        "mlops.shared_process": "true" if run.in_shared_process else "",
        "mlops.ended": "kernel gone" if run.kernel_gone else "",
    }
    return {name: value for name, value in tags.items() if value}


def step_tags(step_run: StepRun, run: Run) -> dict[str, str]:
    """All tags of a step's MLflow run but those of its data."""
    tags = {
        ID: step_run.id,
        "mlops.kind": "step",
        "mlops.run_id": step_run.run_id,
        "mlops.step": step_run.step,
        "mlops.version": str(step_run.version),
        "mlops.version_digest": step_run.version_digest,
        "mlops.status": step_run.status.value,
        **source_tags(run),
    }
    optional = {
        "mlops.why": sentence(step_run.why),
        "mlops.unrepeatable": phrases(step_run.unrepeatable),
        "mlops.error": step_run.error,
    }
    tags.update({name: value for name, value in optional.items() if value})
    if step_run.extra.get("kind"):
        tags["mlops.step_kind"] = str(step_run.extra["kind"])
    if step_run.duration is not None:
        tags["mlops.duration"] = f"{step_run.duration:.3f}"
    return {name: _cut(value) for name, value in tags.items()}


def data_of(step_run: StepRun) -> dict[str, Any]:
    """What a step read and made, by content digest."""
    return {
        "inputs": {name: {"digest": item.digest, "producer": item.producer} for name, item in step_run.inputs.items()},
        "outputs": dict(step_run.outputs),
        "files": dict(step_run.conditions.files),
    }


def data_tags(step_run: StepRun) -> dict[str, str]:
    """The same as tags: names with the first 12 digits of their digests."""
    found = {
        "mlops.inputs": _digests((name, item.digest) for name, item in step_run.inputs.items()),
        "mlops.outputs": _digests(step_run.outputs.items()),
    }
    return {name: _cut(value, "data.json") for name, value in found.items() if value}


def parameters(values: Mapping[str, Any], limit: int) -> tuple[dict[str, str], dict[str, str]]:
    """Parameters as MLflow takes them (texts of at most `limit` characters), and tags that name the cut ones."""
    params: dict[str, str] = {}
    notes: dict[str, str] = {}
    for name, value in values.items():
        text = parameter_text(value)
        if len(text) > limit:
            notes[f"mlops.cut.{name}"] = f"the first {limit} of {len(text)} characters; in full in parameters.json"
            text = text[:limit]
        params[name] = text
    return params, notes


def parameter_text(value: Any) -> str:
    """A value as text: Python's own for plain values, as MLflow does it, JSON for collections."""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list, tuple)):
        return dumps(to_wire(value), ensure_ascii=False)
    return str(value)


def milliseconds(moment: datetime | None) -> int | None:
    """MLflow's time: whole milliseconds since the epoch."""
    return None if moment is None else int(moment.timestamp() * 1000)


def same_metric(value: float, known: float | None) -> bool:
    """Whether MLflow holds `value` already; it keeps an infinity as the largest finite number."""
    if known is None:
        return False
    if math.isnan(value) or math.isnan(known):
        return math.isnan(value) and math.isnan(known)
    if math.isinf(value):
        return abs(known) > 1.7e308 and (known > 0) == (value > 0)
    return value == known


def infinite_tags(metrics: Mapping[str, float]) -> dict[str, str]:
    """What to say of metrics that MLflow cannot keep: an infinity becomes the largest finite number there."""
    infinite = {name: float(value) for name, value in metrics.items() if math.isinf(value)}
    return {
        f"mlops.infinite.{name}": f"{value}; MLflow shows {math.copysign(sys.float_info.max, value):.3g}"
        for name, value in infinite.items()
    }


def _own_name(name: str) -> str:
    return name if name.startswith("mlops.") else f"mlops.{name}"


def _git(run_tags: Mapping[str, str], name: str) -> str:
    return str(run_tags.get(f"git.{name}") or run_tags.get(f"git_{name}") or "")


def _digests(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {digest[:12]}" for name, digest in sorted(pairs))


def _cut(text: str, whole: str = "") -> str:
    if len(text) <= TAG_LIMIT:
        return text
    note = f" ... ({len(text)} characters" + (f"; whole in {whole})" if whole else ")")
    return text[: TAG_LIMIT - len(note)] + note
