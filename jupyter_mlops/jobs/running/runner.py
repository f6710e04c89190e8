"""Executes one run of the queue, in whichever process and thread it is called, and writes its log."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jupyter_mlops.domain.run import Run, RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.execution.engine.stop import Stop
from jupyter_mlops.execution.kernels.kernel import KernelPool
from jupyter_mlops.jobs.detached import log_path
from jupyter_mlops.jobs.queue.request import Request, request_of
from jupyter_mlops.jobs.queue.sources import changed_sources, has_other_modules
from jupyter_mlops.jobs.running import events
from jupyter_mlops.jobs.running.events import RunEvent
from jupyter_mlops.jobs.running.job import execute
from jupyter_mlops.store.store import Store

logger = logging.getLogger("jupyter_mlops.runner")
_cells = logging.getLogger("jupyter_mlops.runner.cells")
"""What becomes of each cell stands in the run's log only: in a worker's, where runs go on side by side, it says little."""
_cells.propagate = False


def execute_claimed(store: Store, run: Run, stop: Stop, pool: KernelPool | None = None) -> None:
    """Execute a run that a worker has claimed, as it was asked for: its notebook's bytes, modules and parameters are those
    in the store. How it ended is in the index, and told in the run's log.
    """
    with run_log(log_path(store, run)):
        try:
            run, request = _asked(store, run)
            execute(store, run, request, None, _log, pool=pool, stop=stop)
        except MLOpsError as error:
            logger.error("%s %s", error.message, error.hint)
            for line in error.details.get("traceback", ()):
                logger.error("%s", line)
        except Exception:
            logger.exception("Run %s could not be executed.", run.number)
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
    logger.warning("Changed since run %s was submitted: %s. It is executed as it was.", run.number, ", ".join(changed))
    store.runs.update(run.id, changed_sources=tuple(changed))
    run = store.runs.get(run.id)
    return replace(run, options=replace(run.options, kernel="ordinary")) if has_other_modules(run) else run


@contextlib.contextmanager
def run_log(path: Path) -> Iterator[None]:
    """While the block runs, what this thread logs is also written to the file `path`."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    thread = threading.get_ident()
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(lambda record: record.thread == thread)
    told = logging.getLogger("jupyter_mlops"), _cells
    for each in told:
        each.addHandler(handler)
    try:
        yield
    finally:
        for each in told:
            each.removeHandler(handler)
        handler.close()


def _log(event: RunEvent) -> None:
    if event.kind == events.RUN_STARTED and event.run is not None:
        logger.info("Run %s of %s starts.", event.run.number, event.run.notebook)
    elif event.kind == events.CELL_ENDED:
        _cells.info(
            "[%s/%s] %s %s (%.2f s)", event.cells_done, event.cells_total, event.label, event.state, event.duration
        )
    elif event.kind == events.RUN_ENDED and event.run is not None:
        logger.info("Run %s %s. Output: %s", event.run.number, event.run.status, event.run.output_path)
