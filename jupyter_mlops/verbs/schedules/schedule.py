"""`schedule add | list | remove`: run notebooks at set times."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.markup import escape

from jupyter_mlops.domain.schedule import Schedule, SchedulerStatus, ScheduleView
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.framework import tables
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import Context, Verb, View
from jupyter_mlops.verbs.runs.run import add_notify, add_parameters, asked_parameters, notebook_path

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    forms = parser.add_subparsers(dest="form", required=True, metavar="add|list|remove")
    add = forms.add_parser("add", help="run a notebook at set times")
    add.add_argument("notebook", help="the notebook's file")
    add.add_argument("--cron", required=True, metavar="EXPR", help="five fields, such as '0 6 * * *': daily at 6:00")
    add.add_argument("--tz", metavar="ZONE", help="time zone, such as Europe/Berlin; default: the machine's")
    add_parameters(add)
    add_notify(add)
    forms.add_parser("list", help="all schedules, with their next fire time")
    remove = forms.add_parser("remove", help="remove a schedule; its runs stay")
    remove.add_argument("number", type=int, help="the schedule's number")
    for form in forms.choices.values():
        form.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON instead of text")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    if arguments.form == "add":
        return _add(arguments, context)
    with open_project(context) as store:
        if arguments.form == "remove":
            return _remove(store, arguments.number)
        return _list(store)


def _add(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.schedules.schedule import add_schedule, list_schedules
    from jupyter_mlops.store.files.notebooks import read_notebook

    notebook = notebook_path(arguments.notebook, context)
    read_notebook(notebook)
    parameters = asked_parameters(arguments, notebook, context)
    with Store.open(notebook) as store:
        now = store.now()
        made = add_schedule(
            store, notebook, arguments.cron, parameters, zone=arguments.tz, notify=arguments.notify, now=now
        )
        views, scheduler = list_schedules(store, now)
    view = next(view for view in views if view.id == made.id)
    return View(view, lambda: _added(view, scheduler))


def _added(view: ScheduleView, scheduler: SchedulerStatus) -> RenderableType:
    from rich.console import Group

    lines = [
        f"[bold]Schedule {view.number}[/] runs {escape(view.notebook)} at '{view.cron}' ({view.timezone}).",
        f"  next  {_moment(view.next_fire_at, view)}",
    ]
    return Group(*lines, *_told(scheduler))


def _remove(store: Store, number: int) -> View:
    from jupyter_mlops.operations.schedules.schedule import remove_schedule

    schedule = remove_schedule(store, number, now=store.now())
    return View(schedule, lambda: f"Schedule {schedule.number} ({escape(schedule.notebook)}) is removed.")


def _list(store: Store) -> View:
    from jupyter_mlops.operations.schedules.schedule import list_schedules

    views, scheduler = list_schedules(store, store.now())
    return View({"schedules": views, "scheduler": scheduler}, lambda: _table(views, scheduler))


def _table(views: list[ScheduleView], scheduler: SchedulerStatus) -> RenderableType:
    from rich.console import Group

    if not views:
        return "There are no schedules yet. Add one: schedule add NOTEBOOK --cron '0 6 * * *'"
    table = tables.table("#>", "notebook", "cron", "zone", "parameters", "next", "last")
    for view in views:
        fire = view.last_fire
        last = f"{tables.state(fire.status)} {_moment(fire.fire_at, view)}" if fire else "[dim]never[/]"
        table.add_row(
            str(view.number),
            escape(view.notebook),
            view.cron,
            view.timezone,
            tables.pairs(view.parameters, view.left_out.get("parameters")),
            _moment(view.next_fire_at, view),
            last,
        )
    return Group(table, *_told(scheduler))


def _told(scheduler: SchedulerStatus) -> list[str]:
    if scheduler.alive:
        return [f"[green]A scheduler is alive[/] on {escape(scheduler.host or '')}."]
    return ["[yellow]No scheduler is running[/], so no scheduled runs will start. Start one: jupyter mlops scheduler"]


def _moment(moment: datetime | None, schedule: Schedule) -> str:
    return "" if moment is None else moment.astimezone(ZoneInfo(schedule.timezone)).strftime("%Y-%m-%d %H:%M")


VERB = Verb("schedule", "schedules: add, list, remove", _configure, _run)
