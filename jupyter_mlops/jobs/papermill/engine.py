"""The papermill engine `mlops`: `papermill --engine mlops IN OUT` is the run that `jupyter mlops run` does.

papermill reads the notebook, injects the parameters and writes the result once more at the end; what lies between is
ours. Importing papermill imports this module, so that it imports nothing heavy itself.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from papermill.engines import Engine

if TYPE_CHECKING:
    from jupyter_mlops.domain.run import Run
    from jupyter_mlops.execution.engine.execution import NotebookExecution
    from jupyter_mlops.execution.notebook.nodes import NotebookNode
    from jupyter_mlops.execution.notebook.outcome import NotebookOutcome
    from jupyter_mlops.execution.notebook.output_file import Save
    from jupyter_mlops.execution.notebook.papermill_io import Paths
    from jupyter_mlops.jobs.papermill.progress import PapermillView
    from jupyter_mlops.jobs.queue.request import Request
    from jupyter_mlops.store.store import Store

logger = logging.getLogger("papermill")

BUILT_IN = ("PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH")
"""Parameters papermill itself adds when asked to; no notebook need declare them."""


class MLOpsEngine(Engine):  # type: ignore[misc]
    """Executes a notebook as a recorded run."""

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool | dict[str, Any] = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        input_path: object = None,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        stdout_file: TextIO | None = None,
        stderr_file: TextIO | None = None,
        run_id: str | None = None,
        **others: Any,
    ) -> NotebookNode:
        """papermill's whole seam: executes `nb` and returns it, with every status true.

        Raises
        ------
        nbclient.exceptions.DeadKernelError
            When the kernel's process went away (papermill's command line then exits with 138).
        KeyboardInterrupt, CanceledError
            After SIGINT, SIGTERM. A cell that raised does not raise here: papermill finds its error in `nb`.
        """
        from jupyter_mlops.errors import MLOpsError
        from jupyter_mlops.execution.notebook.papermill_io import Paths
        from jupyter_mlops.jobs.papermill.progress import PapermillView
        from jupyter_mlops.jobs.queue.prepared import inject_again

        if others:
            logger.warning("The engine mlops does not know and ignores: %s", ", ".join(sorted(others)))
        paths = Paths.of(nb, input_path, output_path)
        try:
            request = _request(nb, kernel_name, paths)
            if request.given and request.language == "python":
                inject_again(nb, request)
            with _open(paths) as store:
                run = _run(store, request, run_id)
                view = PapermillView(progress_bar, log_output, stdout_file, stderr_file)
                options = {
                    "save_in_cells": bool(autosave_cell_every),
                    "start_seconds": start_timeout,
                    "cell_seconds": execution_timeout or others.get("timeout"),
                }
                return _execute(store, run, request, nb, paths, view, options)
        except MLOpsError as error:
            hint = error.hint
            if "parameter" in error.details:
                hint += f" papermill's -p guesses types; to pass a text, use: -r {error.details['parameter']} VALUE"
            logger.error("%s %s", error.message, hint)
            raise


def _open(paths: Paths) -> Store:
    from jupyter_mlops.store.store import Store

    return Store.open(paths.source or Path.cwd())


def _request(nb: NotebookNode, kernel_name: str, paths: Paths) -> Request:
    """What was asked for, checked: papermill only warns of a parameter that no one declares, and we do not."""
    from jupyter_mlops.analysis.pipeline.cells import cells_of, checked_steps
    from jupyter_mlops.execution.kernels.specs import find_kernel, is_this_python
    from jupyter_mlops.execution.notebook.output_file import bytes_of, check_output
    from jupyter_mlops.jobs.queue.request import (
        INJECTED,
        Request,
        check_injected,
        check_names,
        check_sizes,
        check_values,
    )

    if paths.output is not None:
        check_output(paths.output, paths.source, make_folder=False)
    spec = find_kernel(kernel_name)
    python = spec.language == "python"
    cells = cells_of(nb)
    if python:
        checked_steps(cells)
    # Without a cell that sets them they are those of an earlier execution, of which papermill left the record.
    is_set = any(INJECTED in cell.tags for cell in cells)
    given = _plain(nb.metadata.papermill.get("parameters", {})) if is_set else {}
    built_in = {name: given.pop(name) for name in BUILT_IN if name in given}
    given, arguments, values = check_values(cells, given, python=python, loose=True)
    check_names(values)
    check_sizes(paths.source or Path.cwd() / paths.name, given)
    if python:
        check_injected(cells, arguments)
    return Request(
        path=paths.source or Path.cwd() / paths.name,
        data=paths.source.read_bytes() if paths.source else bytes_of(nb),
        notebook=nb,
        kernel_name=kernel_name,
        language=str(spec.language),
        same_python=is_this_python(spec),
        given=given,
        values={**values, **built_in},
        arguments={**arguments, **built_in},
    )


def _plain(value: Any) -> Any:
    """A value of nbformat's kinds of dict as plain dicts."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _run(store: Store, request: Request, run_id: str | None) -> Run:
    from jupyter_mlops.domain.run import RunKind
    from jupyter_mlops.jobs.queue.submission import create_run
    from jupyter_mlops.jobs.recovery.reconcile import reconcile

    reconcile(store, now=store.now())
    return store.runs.get(run_id) if run_id else create_run(store, request, kind=RunKind.JOB, now=store.now())


def _execute(
    store: Store,
    run: Run,
    request: Request,
    nb: NotebookNode,
    paths: Paths,
    view: PapermillView,
    options: dict[str, Any],
) -> NotebookNode:
    from jupyter_mlops.execution.engine.execution import ExecutionPlan, NotebookExecution
    from jupyter_mlops.execution.engine.stop import Stop
    from jupyter_mlops.execution.notebook.overflow import Overflows
    from jupyter_mlops.jobs.running.job import kernel_environment, recorded
    from jupyter_mlops.jobs.running.recorder import Recorder
    from jupyter_mlops.jobs.running.stop_word import StopWord
    from jupyter_mlops.store.project.output_limit import folder_of, output_limit

    stop = Stop()

    def execution(recorder: Recorder) -> NotebookExecution:
        if paths.shown:
            store.runs.update(run.id, output_path=store.relative(paths.output) if paths.output else paths.shown)
        recorder.describe(request.path.parent, environment=request.same_python)
        plan = ExecutionPlan(
            load=lambda: nb,
            kernel_name=request.kernel_name,
            # papermill changes the working directory where it is told to, so this is the kernel's by its rules.
            folder=Path.cwd(),
            environment=kernel_environment(store, run),
            save=paths.saver(),
            output_limit=output_limit(store.root),
            overflows=Overflows(folder_of(paths.output or store.journals.path(run.id))),
            on_environment=None if request.same_python else recorder.keep_environment,
            stop=stop,
            stop_word=StopWord(store, recorder.run),
            **options,
        )
        return NotebookExecution(plan, [*recorder.listeners, view])

    try:
        run, outcome = recorded(Recorder(store, run), execution, stop)
    finally:
        view.close()
    _raise_for(run, outcome, nb, paths.final_saver())
    return nb


def _raise_for(run: Run, outcome: NotebookOutcome, nb: NotebookNode, save: Save | None) -> None:
    """Raise what papermill cannot see in the notebook; marks and saves it first, for papermill then does not."""
    from nbclient.exceptions import DeadKernelError

    from jupyter_mlops.jobs.running.ended import error_of
    from jupyter_mlops.jobs.running.job import mark

    if outcome.error is None or outcome.error.cause in ("cell_error", "step_timeout"):
        return
    error = error_of(run, outcome)
    logger.error("%s %s", error.message, error.hint)
    if outcome.error.cause == "not_saved":
        raise error
    mark(nb, outcome)
    if save is not None:
        save(nb)
    if outcome.error.cause in ("kernel_died", "out_of_memory"):
        raise DeadKernelError(error.message) from error
    if outcome.error.cause == "interrupted":
        raise KeyboardInterrupt(error.message) from error
    raise error
