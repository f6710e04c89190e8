"""One run from its row in the index to its executed notebook: the same for the command line and the detached process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jupyter_mlops.domain.run import Run, RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.variables import KernelTask
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.execution.engine.ahead import KernelsAhead
from jupyter_mlops.execution.engine.execution import ExecutionPlan, NotebookExecution
from jupyter_mlops.execution.engine.stop import Stop, on_stop_signal
from jupyter_mlops.execution.kernels.kernel import KernelPool
from jupyter_mlops.execution.notebook.nodes import NotebookNode
from jupyter_mlops.execution.notebook.outcome import NotebookOutcome
from jupyter_mlops.execution.notebook.output_file import check_output, file_saver
from jupyter_mlops.execution.notebook.overflow import Overflows
from jupyter_mlops.jobs.detached import log_path
from jupyter_mlops.jobs.queue.prepared import mark_failure, prepare
from jupyter_mlops.jobs.queue.request import Request, default_output, request_of
from jupyter_mlops.jobs.queue.sources import changed_sources, has_other_modules
from jupyter_mlops.jobs.running import log
from jupyter_mlops.jobs.running.ended import error_of, taken
from jupyter_mlops.jobs.running.events import OnEvent
from jupyter_mlops.jobs.running.recorder import Recorder
from jupyter_mlops.jobs.running.span import chosen_cells
from jupyter_mlops.jobs.running.stop_word import StopWord
from jupyter_mlops.store.project.output_limit import folder_of, output_limit
from jupyter_mlops.store.store import Store


def execute_claimed(store: Store, run: Run, stop: Stop, pool: KernelPool | None = None) -> None:
    """Execute a run that a worker has claimed, as it was asked for: its notebook's bytes, modules and parameters are those
    in the store. How it ended is in the index, and told in the run's log.
    """
    with log.run_log(log_path(store, run)):
        try:
            run, request = _asked(store, run)
            execute(store, run, request, None, log.tell, pool=pool, stop=stop)
        except MLOpsError as error:
            log.logger.error("%s %s", error.message, error.hint)
            for line in error.details.get("traceback", ()):
                log.logger.error("%s", line)
        except Exception:
            log.logger.exception("Run %s could not be executed.", run.number)
            raise


def _asked(store: Store, run: Run) -> tuple[Run, Request]:
    """What a run is to do. Where that cannot be told, it has ended."""
    try:
        request = request_of(store, run)
        return with_changes(store, run), request
    except Exception as error:  # a notebook or kernel spec of whatever kind: the run has ended all the same
        text = error.message if isinstance(error, MLOpsError) else repr(error)
        store.runs.finish(run.id, Status.FAILED, now=store.now(), error=RunFailure("not_started", text))
        raise


def with_changes(store: Store, run: Run) -> Run:
    """`run`, told which of its sources were edited since it was asked for; then no warm kernel knows its modules."""
    changed = changed_sources(store, run)
    if not changed:
        return run
    log.logger.warning(
        "Changed since run %s was submitted: %s. It is executed as it was.", run.number, ", ".join(changed)
    )
    store.runs.update(run.id, changed_sources=tuple(changed))
    run = store.runs.get(run.id)
    return replace(run, options=replace(run.options, kernel="ordinary")) if has_other_modules(run) else run


def execute(
    store: Store,
    run: Run,
    request: Request,
    output: Path | None,
    on_event: OnEvent | None = None,
    *,
    pool: KernelPool | None = None,
    stop: Stop | None = None,
) -> Run:
    """Take the pending `run` and execute it, in a warm kernel of `pool` where there is one; returns it completed.

    A run that a worker has claimed is its worker's already. Who holds `stop` can have the execution stopped.

    Raises `CellFailedError`, `KernelDiedError` or `CanceledError` with the details run, output, cell_index, step,
    source and traceback; the run has then ended, and its notebook is saved as far as it came.
    """
    stop = stop or Stop()

    def execution(recorder: Recorder) -> NotebookExecution:
        nonlocal output
        output = _output(store, recorder.run, request, output)
        return NotebookExecution(_plan(recorder, request, output, pool, stop), recorder.listeners)

    run, outcome = recorded(Recorder(store, run, on_event), execution, stop)
    if outcome.status is not Status.COMPLETED:
        raise error_of(run, outcome, source=outcome.source, output=output)
    return run


def recorded(
    recorder: Recorder, execution: Callable[[Recorder], NotebookExecution], stop: Stop
) -> tuple[Run, NotebookOutcome]:
    """Take the run of `recorder`, execute what `execution` then makes of it, and record how that ended, whatever comes."""
    with on_stop_signal(stop):
        if not recorder.begin():
            raise taken(recorder.store.runs.get(recorder.run.id))
        try:
            outcome = execution(recorder).run()
        except BaseException as error:
            # Whatever it was, the run has ended, and the index must say so.
            recorder.fail(error)
            raise
        return recorder.end(outcome), outcome


def _output(store: Store, run: Run, request: Request, output: Path | None) -> Path:
    """Where the executed notebook goes, which is in the index from now on."""
    if output is None and run.options.output:
        output = store.root / run.options.output
    output = Path(os.path.abspath(output)) if output is not None else default_output(store, run)
    check_output(output, request.path)
    store.runs.update(run.id, output_path=store.relative(output))
    return output


def _plan(recorder: Recorder, request: Request, output: Path, pool: KernelPool | None, stop: Stop) -> ExecutionPlan:
    run, options = recorder.run, recorder.run.options
    recorder.describe(request.path.parent, environment=request.same_python)
    plan = ExecutionPlan(
        load=lambda: prepare(request, output),
        kernel_name=request.kernel_name,
        folder=request.path.parent,
        environment=kernel_environment(recorder.store, run),
        save=file_saver(output),
        output_limit=output_limit(recorder.store.root),
        overflows=Overflows(folder_of(output)),
        mark=mark,
        cell_seconds=options.cell_seconds,
        run_seconds=options.run_seconds,
        on_environment=None if request.same_python else recorder.keep_environment,
        mode=options.kernel,
        pool=pool,
        notebook=request.notebook,
        same_python=request.same_python,
        memory=options.memory,
        stop=stop,
        stop_word=StopWord(recorder.store, run),
        chosen=lambda notebook: chosen_cells(notebook, options),
    )
    if options.workers < 2:
        return plan
    steps = recorder.store.steps
    beside = KernelsAhead(
        options.workers - 1,
        plan,
        results=lambda: {step.step: step.id for step in steps.runs(run_id=run.id) if step.status.succeeded},
        forget=lambda step: steps.forget_failed(run.id, step),
    )
    return replace(plan, beside=beside)


def mark(notebook: NotebookNode, outcome: NotebookOutcome) -> None:
    """Put papermill's marks at the cell where it ended."""
    if outcome.error is not None and outcome.error.cell_index is not None:
        mark_failure(notebook, outcome.error.cell_index)


def kernel_environment(store: Store, run: Run) -> dict[str, str]:
    """What a job's kernel is told by environment variables."""
    forced = run.options.only or run.options.force
    task = KernelTask(
        run_id=run.id,
        project=str(store.root),
        notebook=run.notebook,
        captures_all=True,
        forced=(forced,) if forced else (),
        resumes=tuple(_continued(store, run)),
        is_ahead=run.options.workers > 1,
        has_snapshot=has_other_modules(run),
    )
    return task.to_environment()


def _continued(store: Store, run: Run) -> list[str]:
    """Ids of the run that `run` continues, of the one that this continued, and so on."""
    found: list[str] = []
    while run.resumes is not None and run.resumes not in found:
        found.append(run.resumes)
        run = store.runs.get(run.resumes)
    return found
