"""The log of a run: what its execution says while it goes on."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from jupyter_mlops.jobs.running import events
from jupyter_mlops.jobs.running.events import RunEvent

logger = logging.getLogger("jupyter_mlops.runner")
_cells = logging.getLogger("jupyter_mlops.runner.cells")
"""What becomes of each cell stands in the run's log only: in a worker's, where runs go on side by side, it says little."""
_cells.propagate = False


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


def tell(event: RunEvent) -> None:
    """Log what happens to a run."""
    if event.kind == events.RUN_STARTED and event.run is not None:
        logger.info("Run %s of %s starts.", event.run.number, event.run.notebook)
    elif event.kind == events.CELL_ENDED:
        _cells.info(
            "[%s/%s] %s %s (%.2f s)", event.cells_done, event.cells_total, event.label, event.state, event.duration
        )
    elif event.kind == events.RUN_ENDED and event.run is not None:
        logger.info("Run %s %s. Output: %s", event.run.number, event.run.status, event.run.output_path)
