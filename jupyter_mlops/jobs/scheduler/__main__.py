"""The detached scheduler: `python -m jupyter_mlops.jobs.scheduler ROOT`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

from jupyter_mlops.jobs.scheduler.scheduler import Scheduler
from jupyter_mlops.store.store import Store


def main() -> int:
    """Fire the schedules of a project until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    with Store.open(Path(sys.argv[1]), create=False) as store:
        Scheduler(store, now=store.now, sleep=stop.wait).run(stop.is_set)
    return 0


sys.exit(main())
