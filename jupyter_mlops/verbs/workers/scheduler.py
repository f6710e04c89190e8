"""`scheduler`: start scheduled runs when they are due, in the foreground, until it is stopped."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from types import FrameType

from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View, no_arguments

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.jobs.scheduler.scheduler import Scheduler

    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    log_to_terminal()
    before = {number: signal.signal(number, on_signal) for number in STOP_SIGNALS}
    try:
        with Store.open(context.start) as store:
            started = store.now()
            Scheduler(store, now=store.now, sleep=stop.wait).run(stop.is_set)
            data = to_wire({"project": store.root, "started_at": started, "ended_at": store.now()})
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return View(data, lambda: "Stopped.")


def log_to_terminal() -> None:
    """One readable line for each thing that happens."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger = logging.getLogger("jupyter_mlops")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)


VERB = Verb("scheduler", "start scheduled runs when they are due, in the foreground", no_arguments, _run, (CLI,))
