"""`worker`: execute runs from the queue, in the foreground, until it is stopped."""

from __future__ import annotations

import argparse

from jupyter_mlops.errors import InputError
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View
from jupyter_mlops.verbs.workers.scheduler import log_to_terminal


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--slots", type=slots, metavar="N", help="how many runs at once (default: one per processor)")
    parser.add_argument("--drain", action="store_true", help="end when the queue is empty")
    parser.add_argument(
        "--grace",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how long current runs may take to finish when the worker is stopped",
    )


def slots(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 1024):
        raise InputError(f"'{text}' is not a number of slots.", "Write a number of 1 or more, such as --slots 4.")
    return int(text)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.execution.kernels.warm.pool import Pool
    from jupyter_mlops.jobs.detached import default_slots
    from jupyter_mlops.jobs.executors.local import LocalExecutor
    from jupyter_mlops.jobs.worker.worker import WorkLoop, on_signals

    log_to_terminal()
    with Store.open(context.start) as store, Pool(lends=True) as pool:
        started = store.now()
        linger = 0.0 if arguments.drain else None
        slots = arguments.slots or default_slots()
        executor = LocalExecutor(store, slots, pool)
        loop = WorkLoop(store, slots=slots, executor=executor, linger=linger, grace=arguments.grace)
        with on_signals(loop.stop):
            loop.run()
        data = {"project": store.root, "started_at": started, "ended_at": store.now()}
    return View(data, lambda: "Stopped.")


VERB = Verb("worker", "execute runs from the queue, in the foreground", _configure, _run, (CLI,))
