"""`submit`: ask for a run that a worker executes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.run import Run, RunKind, RunOptions
from jupyter_mlops.execution.notebook.output_file import check_output
from jupyter_mlops.jobs.detached import ensure_worker
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import check_same, enqueue, run_id_of_name
from jupyter_mlops.operations.runs.run import named_steps
from jupyter_mlops.store.store import Store


def submit(
    store: Store,
    notebook: Path,
    parameters: Mapping[str, Any],
    *,
    kind: RunKind = RunKind.JOB,
    schedule_id: str | None = None,
    kernel: str | None = None,
    options: RunOptions | None = None,
    priority: int = 0,
    name: str | None = None,
) -> Run:
    """Fix the notebook's bytes, its modules and the parameters, and put the run into the queue; returns it, pending.

    Asked for twice under one `name`, there is one run. Where no worker is alive, one is started, which ends when there is
    nothing left to do.

    Raises `UnknownNameError`, `NotebookError`, `InputError` or `NotWritableError`; then there is no run. Raises `StoreError`
    where no worker can be started: the run waits then.
    """
    request = check_request(notebook, parameters, kernel=kernel)
    options = named_steps(request, options or RunOptions())
    if options.output is not None:
        check_output(Path(options.output), request.path)
        options = replace(options, output=str(Path(options.output).absolute()))
    check_output(store.root / "runs" / "run.ipynb", None)
    now = store.now()
    run = enqueue(
        store,
        request,
        kind=kind,
        now=now,
        options=options,
        priority=priority,
        run_id=None if name is None else run_id_of_name(name),
        schedule_id=schedule_id,
    )
    if name is not None:
        check_same(run, request, name, store.relative(request.path))
        store.runs.update(run.id, asked_as=name)
        run = store.runs.get(run.id)
    if not run.status.ended:
        ensure_worker(store)  # which soon looks, as all of them do, for what others left behind
    return run
