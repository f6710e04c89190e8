"""`jobs list | show | logs | cancel | retry | remove`: the queue, what is at work, and what was."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.framework import tables
from jupyter_mlops.verbs.framework.numbers import count
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View
from jupyter_mlops.verbs.runs.cancel import ended

STATUSES = [status.value for status in Status if status is not Status.REUSED]
LOOK_SECONDS = 0.2
RECONCILE_SECONDS = 3.0


def _configure(parser: argparse.ArgumentParser) -> None:
    forms = parser.add_subparsers(dest="form", metavar="list|show|logs|cancel|retry|remove")
    parser.set_defaults(form="list", status=None, notebook=None, limit=20)
    listing = forms.add_parser("list", help="the jobs, newest first, and the workers that are alive")
    listing.add_argument("-n", "--limit", type=count, default=20, help="how many to show (default 20)")
    listing.add_argument("--status", choices=STATUSES, help="only jobs with this status")
    listing.add_argument("--notebook", help="only runs of this notebook")
    forms.add_parser("show", help="everything known about a job")
    logs = forms.add_parser("logs", help="the job's log")
    logs.add_argument("-f", "--follow", action="store_true", help="follow it until the job has ended")
    forms.add_parser("cancel", help="stop it")
    forms.add_parser("retry", help="queue it again; steps it had finished are not executed again")
    forms.add_parser("remove", help="delete an ended job, if nothing needs it")
    for name, form in forms.choices.items():
        if name != "list":
            form.add_argument("run", help="its number or id")
        form.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    with open_project(context) as store:
        return _FORMS[arguments.form](store, arguments, context)


def _list(store: Store, arguments: argparse.Namespace, _context: Context) -> View:
    from jupyter_mlops.operations.runs.jobs import list_jobs
    from jupyter_mlops.verbs.runs.jobs_view import job_table

    status = Status(arguments.status) if arguments.status else None
    found = list_jobs(store, status=status, notebook=arguments.notebook, limit=arguments.limit)
    return View(found, lambda: job_table(found))


def _show(store: Store, arguments: argparse.Namespace, _context: Context) -> View:
    from jupyter_mlops.operations.runs.jobs import show_job
    from jupyter_mlops.verbs.runs.jobs_view import job_card

    found = show_job(store, arguments.run)
    return View(found, lambda: job_card(found))


def _logs(store: Store, arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.jobs.detached import log_path

    run = store.runs.get(arguments.run)
    path = log_path(store, run)
    if not arguments.follow:
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return View({"run": run.number, "log": text}, lambda: tables.Verbatim(text.rstrip("\n")))
    told = []
    for text in follow(store, run, path):
        told.append(text)
        if arguments.json:
            continue
        if context.surface == CLI:  # where the console is for progress, and this is what was asked for
            sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
            sys.stdout.flush()
        else:
            context.console.print(tables.Verbatim(text.rstrip("\n")), end="")
    run = store.runs.get(run.id)
    code = 0 if run.status is Status.COMPLETED else 1
    return View(
        {"run": run.number, "log": "".join(told)},
        lambda: f"[bold]Run {run.number}[/] is {tables.state(run.status)}.",
        exit_code=code,
    )


def follow(store: Store, run: Run, path: Path) -> Iterator[str]:
    """What is added to a run's log, until the run has ended."""
    from jupyter_mlops.jobs.recovery.reconcile import reconcile

    place, looked = 0, time.monotonic()
    while True:
        # Asked first: what was told before the end is in the file then.
        is_over = store.runs.get(run.id).status.ended
        if path.exists():
            with open(path, "rb") as file:
                file.seek(place)
                data = file.read()
            whole = data if is_over else data[: data.rfind(b"\n") + 1]
            place += len(whole)
            if whole:
                yield whole.decode("utf-8", "replace")
        if is_over:
            return
        if time.monotonic() - looked > RECONCILE_SECONDS:
            looked = time.monotonic()
            reconcile(store, now=store.now())
        time.sleep(LOOK_SECONDS)


def _cancel(store: Store, arguments: argparse.Namespace, _context: Context) -> View:
    from jupyter_mlops.operations.runs.cancel import cancel

    run = ended(store, cancel(store, arguments.run))
    if run.status.ended:
        return View(run, lambda: f"Run {run.number} is {tables.state(run.status)}.")
    return View(run, lambda: f"Run {run.number} was asked to stop; it is still {tables.state(run.status)}.")


def _retry(store: Store, arguments: argparse.Namespace, _context: Context) -> View:
    from jupyter_mlops.operations.runs.jobs import retry_job

    run = retry_job(store, arguments.run)
    return View(
        run, lambda: f"[bold]Run {run.number}[/] is {tables.state(run.status)}; it continues the run you named."
    )


def _remove(store: Store, arguments: argparse.Namespace, _context: Context) -> View:
    from jupyter_mlops.operations.runs.jobs import remove_job

    run = remove_job(store, arguments.run)
    return View(run, lambda: f"Run {run.number} is removed.")


_FORMS = {"list": _list, "show": _show, "logs": _logs, "cancel": _cancel, "retry": _retry, "remove": _remove}

VERB = Verb("jobs", "the queue: list, show, logs, cancel, retry, remove", _configure, _run)
