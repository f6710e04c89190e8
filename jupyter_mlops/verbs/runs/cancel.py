"""`cancel RUN`: stop a run that has not ended."""

from __future__ import annotations

import argparse
import time

from jupyter_mlops.domain.run import Run
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.framework import tables
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

WAIT_SECONDS = 15.0


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="the run's number")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.runs.cancel import cancel

    with open_project(context) as store:
        run = ended(store, cancel(store, arguments.run))
    if run.status.ended:
        return View(run, lambda: f"Run {run.number} is {tables.state(run.status)}.")
    return View(run, lambda: f"Run {run.number} was asked to stop; it is still {tables.state(run.status)}.")


def ended(store: Store, run: Run) -> Run:
    """The run when it has stopped, or as it is after a while."""
    end = time.monotonic() + WAIT_SECONDS
    while not run.status.ended and time.monotonic() < end:
        time.sleep(0.1)
        run = store.runs.get(run.id)
    return run


VERB = Verb("cancel", "cancel a run that has not ended", _configure, _run)
