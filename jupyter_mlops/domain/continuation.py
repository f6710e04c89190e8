"""The run that continues another: what it takes over, and which runs have none."""

from __future__ import annotations

from datetime import datetime

from jupyter_mlops.domain.run import Run, RunKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError

_OF_ONE_EXECUTION = ("kernel_kind", "kernel_why")
"""Tags that say in which kernel a run was executed."""


def continuation(run: Run, run_id: str, now: datetime, *, attempt: int = 0) -> Run:
    """The run `run_id` that continues `run`, as that was asked for: pending, for any worker, and without a number yet.

    Of how `run` was executed, and how it ended, it has nothing: only `resumes` leads there.
    """
    return Run(
        id=run_id,
        number=0,
        kind=run.kind,
        notebook=run.notebook,
        status=Status.PENDING,
        parameters=run.parameters,
        tags={name: value for name, value in run.tags.items() if name not in _OF_ONE_EXECUTION},
        notebook_object=run.notebook_object,
        environment=run.environment,
        schedule_id=run.schedule_id,
        created_at=now,
        options=run.options,
        priority=run.priority,
        attempt=attempt,
        resumes=run.id,
        kernel_name=run.kernel_name,
        tracked_at=run.tracked_at,
        asked_as=run.asked_as,
        cause=run.cause,
    )


def check_continued(run: Run) -> None:
    """Refuse a run that cannot be continued: a live session, or one that has not ended. Raises `InputError`."""
    if run.kind is RunKind.SESSION:
        raise InputError(f"Run {run.number} is a live notebook session.", "Run its cells again in its own kernel.")
    if not run.status.ended:
        raise InputError(
            f"Run {run.number} has not ended: it is {run.status}.",
            f"Stop it first: jupyter mlops cancel {run.number}",
        )
