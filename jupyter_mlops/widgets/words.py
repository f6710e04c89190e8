"""What the form says about a run, as HTML. All that comes from a notebook or a run is escaped."""

from __future__ import annotations

import html
import math
from datetime import datetime

from jupyter_mlops.domain.run import Run, RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import MLOpsError

_GOOD = "var(--jp-success-color1, #2e7d32)"
_BAD = "var(--jp-error-color1, #c62828)"
_CALM = "var(--jp-ui-font-color2, #666)"

_LABELS = {
    Status.PENDING: "Waiting",
    Status.RUNNING: "Running",
    Status.COMPLETED: "Completed",
    Status.FAILED: "Failed",
    Status.CANCELED: "Canceled",
    Status.LOST: "Lost",
}

_HINTS = {
    "cell_error": "The executed notebook shows the traceback. Fix the cell and run again: finished steps are reused.",
    "kernel_died": "It may have run out of memory. Finished steps are reused when you run again.",
    "runner_lost": "The machine may have been restarted. Run again: finished steps are reused.",
    "canceled": "Run again to continue: finished steps are reused.",
}


def status_line(run: Run, now: datetime) -> str:
    """Number, status, current step and time of a run."""
    color = _CALM if not run.status.ended else _GOOD if run.status.succeeded else _BAD
    words = [f"<b>Run {run.number}</b>", f"<span style='color: {color}'>{_LABELS.get(run.status, run.status)}</span>"]
    if run.status is Status.RUNNING and run.progress.step:
        words.append(f"step <code>{html.escape(run.progress.step)}</code>")
    if run.started_at is not None:
        words.append(duration((run.ended_at or now).timestamp() - run.started_at.timestamp()))
    if run.steps_reused:
        words.append(f"{run.steps_reused} of {run.steps_reused + run.steps_executed} steps reused")
    return " · ".join(words)


def outcome(run: Run) -> str:
    """What came of a run that has ended: metrics and output, or the error with its mend."""
    parts = []
    if run.error is not None:
        parts.append(problem(_cause(run.error), _HINTS.get(run.error.cause, "")))
    if run.metrics:
        rows = "".join(
            f"<tr><td style='text-align: left'>{html.escape(name)}</td><td>{_number(value)}</td></tr>"
            for name, value in sorted(run.metrics.items())
        )
        parts.append(f"<table><tbody>{rows}</tbody></table>")
    if run.output_path:
        parts.append(f"<div>Executed notebook: <code>{html.escape(run.output_path)}</code></div>")
    return "".join(parts)


def problem(message: str, hint: str) -> str:
    """An error and what to do next."""
    lines = [f"<div role='alert' style='color: {_BAD}'>{html.escape(message)}</div>"]
    if hint:
        lines.append(f"<div>{html.escape(hint)}</div>")
    return "".join(lines)


def error_of(error: Exception) -> str:
    """`problem` for an exception."""
    if isinstance(error, MLOpsError):
        return problem(error.message, error.hint)
    return problem(
        f"Something unexpected went wrong: {type(error).__name__}: {error}", "See the kernel's log for details."
    )


def duration(seconds: float) -> str:
    """Seconds in the two largest units."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{max(0.0, seconds):.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _cause(error: RunFailure) -> str:
    text = f"{error.ename}: {error.evalue}" if error.ename else error.message
    where = (
        f"step '{error.step}'" if error.step else f"cell {error.cell_index + 1}" if error.cell_index is not None else ""
    )
    return f"{text} (in {where})" if where else text


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else str(value)
