"""`scheduler`: start scheduled runs when they are due, in the foreground until it is stopped, or in the background."""

from __future__ import annotations

import argparse
import logging
import threading

from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View


def _configure(parser: argparse.ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--detach", action="store_true", help="start it in the background, where none is running")
    how.add_argument("--stop", action="store_true", help="stop the schedulers of this project on this machine")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    if arguments.detach:
        return _detach(context)
    if arguments.stop:
        return _stop(context)
    from jupyter_mlops.jobs.scheduler.scheduler import Scheduler
    from jupyter_mlops.jobs.worker.worker import on_signals

    stop = threading.Event()
    log_to_terminal()
    with on_signals(stop.set), Store.open(context.start) as store:
        started = store.now()
        Scheduler(store, now=store.now, sleep=stop.wait).run(stop.is_set)
        data = to_wire({"project": store.root, "started_at": started, "ended_at": store.now()})
    return View(data, lambda: "Stopped.")


def _detach(context: Context) -> View:
    from jupyter_mlops.jobs.scheduler.starting import ensure_scheduler

    with Store.open(context.start) as store:
        status = ensure_scheduler(store)
        log = store.folder / "logs" / "worker.log"
    text = f"A scheduler is running on {status.host}. Its log: {log}\nStop it: jupyter mlops scheduler --stop"
    return View(status, lambda: text)


def _stop(context: Context) -> View:
    from jupyter_mlops.jobs.scheduler.starting import stop_schedulers

    with open_project(context) as store:
        stopped = stop_schedulers(store)
    text = (
        f"Stopped {len(stopped)}. Runs they started go on." if stopped else "No scheduler is running on this machine."
    )
    return View({"stopped": [heart.pid for heart in stopped]}, lambda: text)


def log_to_terminal() -> None:
    """One readable line for each thing that happens."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger = logging.getLogger("jupyter_mlops")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)


VERB = Verb("scheduler", "start scheduled runs when they are due", _configure, _run, (CLI,))
