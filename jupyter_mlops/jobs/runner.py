"""The detached process of one run: `python -m jupyter_mlops.jobs.runner ROOT RUN_ID`. Its output is the run's log."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from jupyter_mlops.domain.run import Run, RunError
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.jobs import events
from jupyter_mlops.jobs.events import RunEvent
from jupyter_mlops.jobs.job import execute
from jupyter_mlops.jobs.request import check_request, given_of
from jupyter_mlops.store.notebooks import parse_notebook
from jupyter_mlops.store.store import Store

logger = logging.getLogger("jupyter_mlops.runner")


def main(arguments: list[str] | None = None) -> int:
    """Execute a pending run; exit code 0 where it completed, or someone else has it."""
    root, run_id = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    with Store.open(Path(root), create=False) as store:
        run = store.runs.get(run_id)
        if run.status is not Status.PENDING:
            logger.info("Run %s is %s already: nothing to do.", run.number, run.status)
            return 0
        try:
            execute_stored(store, run)
        except MLOpsError as error:
            logger.error("%s %s", error.message, error.hint)
            for line in error.details.get("traceback", ()):
                logger.error("%s", line)
            return error.exit_code
    return 0


def execute_stored(store: Store, run: Run) -> Run:
    """Execute a pending run as it was asked for: its notebook's bytes and parameters are those in the store."""
    try:
        assert run.notebook_object is not None
        data = bytes(store.objects.get(run.notebook_object))
        path = store.root / run.notebook
        given = given_of(run, parse_notebook(data, run.notebook))
        request = check_request(path, given, kernel=run.tags.get("kernel"), data=data)
    except MLOpsError as error:
        store.runs.finish(run.id, Status.FAILED, now=store.now(), error=RunError("not_started", error.message))
        raise
    return execute(store, run, request, None, _log)


def _log(event: RunEvent) -> None:
    if event.kind == events.RUN_STARTED and event.run is not None:
        logger.info("Run %s of %s starts.", event.run.number, event.run.notebook)
    elif event.kind == events.CELL_ENDED:
        logger.info(
            "[%s/%s] %s %s (%.2f s)", event.cells_done, event.cells_total, event.label, event.state, event.duration
        )
    elif event.kind == events.RUN_ENDED and event.run is not None:
        logger.info("Run %s %s. Output: %s", event.run.number, event.run.status, event.run.output_path)


if __name__ == "__main__":
    sys.exit(main())
