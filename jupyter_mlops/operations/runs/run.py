"""`run`: execute a notebook here and now, as a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_mlops.analysis.pipeline.cells import all_steps_of, cells_of, match_step
from jupyter_mlops.domain.plan import ALL
from jupyter_mlops.domain.run import Run, RunKind, RunOptions
from jupyter_mlops.errors import InputError
from jupyter_mlops.execution.notebook.output_file import check_output
from jupyter_mlops.jobs.queue.request import Request, check_request
from jupyter_mlops.jobs.queue.submission import create_run
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.jobs.running.events import RunEvent
from jupyter_mlops.jobs.running.job import execute
from jupyter_mlops.jobs.running.span import chosen_cells
from jupyter_mlops.store.store import Store


def run_notebook(
    notebook: Path,
    parameters: Mapping[str, Any],
    output: Path | None = None,
    *,
    kernel: str | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
    run_id: str | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Execute `notebook`; returns its completed run.

    `run_id` takes a pending run of the index in place of making one. Nothing is recorded where what was asked for
    cannot be (`InputError`, `UnknownNameError`, `NotebookError`, `NotWritableError`).

    Raises
    ------
    CellFailedError, KernelDiedError, CanceledError
        With the details run, output, cell_index, step, source, traceback.
    """
    request = check_request(notebook, parameters, kernel=kernel)
    options = named_steps(request, options or RunOptions())
    if output is not None:
        check_output(output, request.path)
    with Store.open(request.path) as store:
        check_output(store.root / "runs" / "run.ipynb", None)
        reconcile(store, now=store.now())
        if run_id is None:
            run = create_run(store, request, kind=RunKind.JOB, now=store.now(), options=options)
        else:
            run = store.runs.get(run_id)
        return execute(store, run, request, output, on_event)


def named_steps(request: Request, options: RunOptions) -> RunOptions:
    """`options` with the whole names of the steps they speak of. Raises `UnknownNameError` or `InputError`."""
    names = [step.spec.name for step in all_steps_of(cells_of(request.notebook))[0]]

    def whole(name: str | None) -> str | None:
        return name if name is None or name == ALL else match_step(name, names)

    if options.only is not None and (options.first is not None or options.last is not None):
        raise InputError(
            "--only cannot be combined with --from or --until: it runs one step.", "Use --from and --until, or --only."
        )
    named = replace(
        options,
        force=whole(options.force),
        first=whole(options.first),
        last=whole(options.last),
        only=whole(options.only),
    )
    chosen_cells(request.notebook, named)
    return named
