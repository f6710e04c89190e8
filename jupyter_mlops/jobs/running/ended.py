"""The errors that say how a run ended, or why it cannot be taken."""

from __future__ import annotations

from typing import Any

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import CanceledError, CellFailedError, KernelDiedError, MLOpsError, RunError
from jupyter_mlops.execution.notebook.outcome import NotebookOutcome

_KINDS = {
    "canceled": CanceledError,
    "interrupted": CanceledError,
    "kernel_died": KernelDiedError,
    "out_of_memory": KernelDiedError,
    "cell_error": CellFailedError,
    "step_timeout": CellFailedError,
}
_VERBS = {
    "canceled": "was stopped",
    "interrupted": "was stopped",
    "kernel_died": "lost its kernel",
    "out_of_memory": "ran out of memory",
}


def error_of(run: Run, outcome: NotebookOutcome, **details: Any) -> RunError:
    """The error that says how a run ended."""
    error = outcome.error
    assert error is not None
    step = run.error.step if run.error is not None else None
    if error.cell_index is None:
        where = f"Run {run.number}"
    elif step:
        where = f"Step '{step}'"
    else:
        count = outcome.count
        where = f"Cell In [{count}]" if count else f"Cell {error.cell_index + 1} of the executed notebook"
    return _KINDS.get(error.cause, RunError)(
        f"{where} {_VERBS.get(error.cause, 'failed')}: {error.message}",
        outcome.hint,
        run=run,
        cell_index=error.cell_index,
        step=step,
        traceback=list(outcome.traceback),
        **details,
    )


def taken(run: Run) -> MLOpsError:
    """The error that says a run cannot be taken: another process has it, or it has ended."""
    if run.status is Status.CANCELED:
        return CanceledError(f"Run {run.number} was canceled before it started.", "Submit it again.", run=run)
    return RunError(
        f"Run {run.number} is already {run.status}.", "A run is executed only once. Submit a new one.", run=run
    )
