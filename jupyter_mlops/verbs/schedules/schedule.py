"""`schedule add | list | show | next | pause | resume | run-now | edit | remove | import`: run notebooks at set times."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.markup import escape

from jupyter_mlops.errors import InputError
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.framework import tables
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import Context, Verb, View
from jupyter_mlops.verbs.runs.run import notebook_path
from jupyter_mlops.verbs.schedules.options import add_options, asked_of, schedule_number
from jupyter_mlops.verbs.schedules.view import added, details, imported, moment, parameters_of, schedules_table, when

if TYPE_CHECKING:
    from rich.console import RenderableType

_OF_ONE = {
    "show": "one schedule: its options, its next fire times, and what came of the last ones",
    "pause": "let a schedule fire no more until it is resumed",
    "resume": "let a paused schedule fire again, from now on",
    "run-now": "put a run of it into the queue at once",
    "remove": "remove a schedule; its runs stay",
}


def _configure(parser: argparse.ArgumentParser) -> None:
    forms = parser.add_subparsers(
        dest="form", required=True, metavar="add|list|show|next|pause|resume|run-now|edit|remove|import"
    )
    add = forms.add_parser("add", help="run a notebook at set times")
    add.add_argument("notebook", help="the notebook's file")
    add_options(add)
    forms.add_parser("list", help="all schedules, with their next fire time")
    for name, text in _OF_ONE.items():
        _add_number(forms.add_parser(name, help=text))
    following = forms.add_parser("next", help="the next fire times of a schedule")
    _add_number(following)
    following.add_argument("-n", type=_count, default=5, metavar="N", help="how many (default 5)")
    edit = forms.add_parser("edit", help="change a schedule; what is not given stays as it is")
    _add_number(edit)
    add_options(edit, edits=True)
    imports = forms.add_parser("import", help="make schedules of jupyter-scheduler's job definitions, each once")
    imports.add_argument(
        "database", nargs="?", help="its database (default: scheduler.sqlite in Jupyter's data folder)"
    )
    imports.add_argument(
        "--staged", metavar="FOLDER", help="its copies of the notebooks (default: beside the database)"
    )
    imports.add_argument("--dry-run", action="store_true", help="say what would be made, and make nothing")
    for form in forms.choices.values():
        form.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON instead of text")


def _add_number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", type=schedule_number, help="the schedule's number")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 1000):
        raise InputError(f"'{text}' is not a number from 1 to 1000.", "Write it as -n 5.")
    return int(text)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    if arguments.form == "add":
        return _add(arguments, context)
    if arguments.form == "import":
        with Store.open(context.start) as store:
            return _import(store, arguments, context)
    with open_project(context) as store:
        return _FORMS[arguments.form](store, arguments, context)


def _add(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.jobs.scheduler.starting import scheduler_status
    from jupyter_mlops.operations.schedules.listing import show_schedule
    from jupyter_mlops.operations.schedules.making import add_schedule
    from jupyter_mlops.store.files.notebooks import read_notebook

    notebook = notebook_path(arguments.notebook, context)
    read_notebook(notebook)
    asked = asked_of(arguments, notebook, context)
    with Store.open(notebook) as store:
        now = store.now()
        made = add_schedule(store, notebook, asked, now=now)
        view, scheduler = show_schedule(store, made.number, now), scheduler_status(store, now)
    return View(view, lambda: added(view, scheduler))


def _list(store: Store, arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.schedules.listing import list_schedules

    views, scheduler = list_schedules(store, store.now())
    return View({"schedules": views, "scheduler": scheduler}, lambda: schedules_table(views, scheduler))


def _show(store: Store, arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.jobs.scheduler.starting import scheduler_status
    from jupyter_mlops.operations.schedules.listing import show_schedule

    now = store.now()
    detail, scheduler = show_schedule(store, arguments.number, now), scheduler_status(store, now)
    return View({"schedule": detail, "scheduler": scheduler}, lambda: details(detail, scheduler))


def _next(store: Store, arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.schedules.listing import next_times
    from jupyter_mlops.operations.schedules.preview import preview_parameters

    schedule = store.schedules.get(arguments.number)
    times = next_times(schedule, store.now(), arguments.n)
    rows = preview_parameters(store, schedule, times)

    def show() -> RenderableType:
        if schedule.paused_at is not None:
            return f"Schedule {schedule.number} is paused. Resume it: jupyter mlops schedule resume {schedule.number}"
        if schedule.trigger is not None:
            return f"Schedule {schedule.number} waits for {escape(when(schedule))}; it has no fire times."
        if not times:
            return f"Schedule {schedule.number} fires no more: its end has passed."
        made = tables.table("fires", "UTC", "parameters")
        for time, values in zip(times, rows, strict=True):
            made.add_row(moment(time, schedule), time.strftime("%Y-%m-%d %H:%M"), parameters_of(values))
        return made

    data = [{"fire_at": time, "parameters": values} for time, values in zip(times, rows, strict=True)]
    return View({"schedule": schedule.number, "next": data}, show)


def _pause(store: Store, arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.schedules.steering import pause_schedule

    schedule = pause_schedule(store, arguments.number, now=store.now())
    text = (
        f"Schedule {schedule.number} ({escape(schedule.notebook)}) is paused: it fires no more until you resume it. "
        "Runs that were started go on."
    )
    return View(schedule, lambda: text)


def _resume(store: Store, arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.schedules.steering import resume_schedule

    schedule, passed = resume_schedule(store, arguments.number, now=store.now())
    following = moment(schedule.next_fire_at, schedule) or "never: its end has passed"
    what = f"next {following}" if schedule.trigger is None else f"for {escape(when(schedule))}"
    lines = [f"Schedule {schedule.number} ({escape(schedule.notebook)}) fires again, {what}."]
    lines += [str(passed)] if passed is not None else []
    return View({"schedule": schedule, "skipped": str(passed) if passed else ""}, lambda: "\n".join(lines))


def _run_now(store: Store, arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.schedules.steering import run_now

    run = run_now(store, arguments.number, now=store.now())
    text = f"[bold]Run {run.number}[/] of {escape(run.notebook)} is in the queue. Follow it: jupyter mlops log {run.number}"
    return View(run, lambda: text)


def _edit(store: Store, arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.jobs.scheduler.starting import scheduler_status
    from jupyter_mlops.operations.schedules.listing import show_schedule
    from jupyter_mlops.operations.schedules.making import edit_schedule

    before = store.schedules.get(arguments.number)
    asked = asked_of(arguments, store.root / before.notebook, context)
    now = store.now()
    edit_schedule(store, arguments.number, asked, now=now)
    view, scheduler = show_schedule(store, arguments.number, now), scheduler_status(store, now)
    return View(view, lambda: added(view, scheduler))


def _remove(store: Store, arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.schedules.steering import remove_schedule

    schedule = remove_schedule(store, arguments.number, now=store.now())
    text = f"Schedule {schedule.number} ({escape(schedule.notebook)}, {when(schedule)}) is removed."
    return View(schedule, lambda: text)


def _import(store: Store, arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.schedules.importing import default_database, import_definitions

    database = context.start / arguments.database if arguments.database else default_database()
    staged = context.start / arguments.staged if arguments.staged else None
    found = import_definitions(store, database, staged, now=store.now(), dry_run=arguments.dry_run)
    failed = any(each.problem and each.schedule is None for each in found)
    return View({"definitions": found}, lambda: imported(found), 1 if failed else 0)


_FORMS: dict[str, Callable[[Store, argparse.Namespace, Context], View]] = {
    "list": _list,
    "show": _show,
    "next": _next,
    "pause": _pause,
    "resume": _resume,
    "run-now": _run_now,
    "edit": _edit,
    "remove": _remove,
}

VERB = Verb(
    "schedule", "schedules: add, list, show, next, pause, resume, run-now, edit, remove, import", _configure, _run
)
