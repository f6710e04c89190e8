"""Executes one run of the queue, in whichever process and thread it is called: `execute_claimed(root, run_id)`.

That is all an executor has to call, so it may be one of threads, of processes, or of another machine.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.run import Run, RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.execution.engine.stop import Stop
from jupyter_mlops.jobs.detached import log_path
from jupyter_mlops.jobs.queue.request import request_of
from jupyter_mlops.jobs.queue.sources import changed_sources, has_other_modules
from jupyter_mlops.jobs.running import events
from jupyter_mlops.jobs.running.events import RunEvent
from jupyter_mlops.jobs.running.job import execute
from jupyter_mlops.store.store import Store

logger = logging.getLogger("jupyter_mlops.runner")
_cells = logging.getLogger("jupyter_mlops.runner.cells")
"""What becomes of each cell stands in the run's log only: in a worker's, where runs go on side by side, it says little."""
_cells.propagate = False


@dataclass(frozen=True)
class Place:
    """What executions in this process share: the project's store, and its warm kernels where it has some."""

    store: Store
    pool: Any = None


_places: dict[str, Place] = {}
_stops: dict[str, Stop] = {}
_opening = threading.Lock()


def settle(root: str, place: Place | None) -> None:
    """Say what executions for the project `root` share in this process; None: each opens its own again."""
    with _opening:
        if place is None:
            _places.pop(root, None)
        else:
            _places[root] = place


def ask_to_stop(run_id: str, word: str, cause: str = "canceled") -> bool:
    """Stop an execution in this process; asked again, its kernel is killed. False where it is not executed here."""
    stop = _stops.get(run_id)
    if stop is None:
        return False
    stop.ask(word, cause)
    return True


def execute_claimed(root: str, run_id: str) -> None:
    """Execute a run that a worker has claimed. How it ended is in the index, and told in the run's log."""
    with _opening:
        if root not in _places:
            _places[root] = Place(Store.open(Path(root), create=False))
        place = _places[root]
    stop = _stops.setdefault(run_id, Stop())
    try:
        run = place.store.runs.get(run_id)
        with run_log(log_path(place.store, run)):
            _execute(place, run, stop)
    finally:
        _stops.pop(run_id, None)


def _execute(place: Place, run: Run, stop: Stop) -> None:
    try:
        execute_stored(place.store, run, stop=stop, pool=place.pool)
    except MLOpsError as error:
        logger.error("%s %s", error.message, error.hint)
        for line in error.details.get("traceback", ()):
            logger.error("%s", line)
    except Exception:
        logger.exception("Run %s could not be executed.", run.number)
        raise


def execute_stored(store: Store, run: Run, *, stop: Stop | None = None, pool: Any = None) -> Run:
    """Execute a run as it was asked for: its notebook's bytes, modules and parameters are those in the store."""
    try:
        request = request_of(store, run)
        run = with_changes(store, run)
    except Exception as error:  # a notebook or kernel spec of whatever kind: the run has ended all the same
        text = error.message if isinstance(error, MLOpsError) else repr(error)
        store.runs.finish(run.id, Status.FAILED, now=store.now(), error=RunFailure("not_started", text))
        raise
    return execute(store, run, request, None, _log, pool=pool, stop=stop)


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
