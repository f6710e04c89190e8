"""`up`: scheduler and worker of a project in one process, in the foreground, until it is stopped."""

from __future__ import annotations

import argparse
import threading

from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View
from jupyter_mlops.verbs.workers import worker
from jupyter_mlops.verbs.workers.scheduler import log_to_terminal


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--slots", type=worker.slots, metavar="N", help="how many runs at once (default: one per processor)"
    )
    parser.add_argument(
        "--grace",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how long current runs may take to finish when it is stopped",
    )


def _run(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.execution.kernels.warm.pool import Pool
    from jupyter_mlops.jobs.detached import default_slots
    from jupyter_mlops.jobs.executors.local import LocalExecutor
    from jupyter_mlops.jobs.worker.worker import WorkLoop, on_signals

    log_to_terminal()
    with Store.open(context.start) as store, Pool(lends=True) as pool:
        started = store.now()
        slots = arguments.slots or default_slots()
        executor = LocalExecutor(store, slots, pool)
        loop = WorkLoop(store, slots=slots, executor=executor, grace=arguments.grace)
        stop = threading.Event()
        failed: list[BaseException] = []

        def schedule() -> None:
            from jupyter_mlops.jobs.scheduler.scheduler import Scheduler

            try:
                with Store.open(store.root) as own:
                    Scheduler(own, now=own.now, sleep=stop.wait, spawn=lambda _store, _run: None).run(stop.is_set)
            except BaseException as error:  # noqa: BLE001 - a worker alone must not look as if schedules fired
                failed.append(error)
                loop.stop()

        scheduler = threading.Thread(target=schedule, name="mlops-scheduler")
        with on_signals(loop.stop):
            scheduler.start()
            try:
                loop.run()
            finally:
                stop.set()
                scheduler.join()
        if failed:
            raise failed[0]
        data = {"project": store.root, "started_at": started, "ended_at": store.now()}
    return View(data, lambda: "Stopped.")


VERB = Verb("up", "scheduler and worker in one, in the foreground", _configure, _run, (CLI,))
