"""`submit`: ask for a run that a process of its own executes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.run import Run
from jupyter_mlops.jobs.output import check_output
from jupyter_mlops.jobs.request import check_request, create_run
from jupyter_mlops.jobs.spawn import spawn
from jupyter_mlops.jobs.stale import reconcile
from jupyter_mlops.store.store import Store


def submit(
    store: Store,
    notebook: Path,
    parameters: Mapping[str, Any],
    *,
    kind: str = "job",
    schedule_id: str | None = None,
    kernel: str | None = None,
) -> Run:
    """Fix the notebook's bytes and the parameters, and start a process that executes them; returns the pending run.

    Raises `UnknownNameError`, `NotebookError`, `InputError` or `NotWritableError`; then there is no run.
    """
    request = check_request(notebook, parameters, kernel=kernel)
    check_output(store.root / "runs" / "run.ipynb", None)
    reconcile(store, now=store.now())
    run = create_run(store, request, kind=kind, now=store.now(), schedule_id=schedule_id)
    spawn(store, run)
    return store.runs.get(run.id)
