"""How schedules look in a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.markup import escape

from jupyter_mlops.domain.schedule import (
    EndedAs,
    Fire,
    Missed,
    Overlap,
    Schedule,
    ScheduleDetail,
    SchedulerStatus,
    ScheduleView,
    TriggerKind,
)
from jupyter_mlops.verbs.framework import tables

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jupyter_mlops.operations.schedules.importing import ImportedDefinition

_MISSED = {
    Missed.ALL: "all are made up",
    Missed.LATEST: "the latest is made up",
    Missed.SKIP: "none is made up",
}
_OVERLAP = {
    Overlap.QUEUE: "the next run waits",
    Overlap.SKIP: "the next run is skipped",
    Overlap.CANCEL: "the earlier run is canceled",
}


def when(schedule: Schedule) -> str:
    """When it fires, in a few words."""
    timing, trigger = schedule.timing, schedule.trigger
    if trigger is None:
        return timing.cron or f"every {span(timing.every or 0)}"
    if trigger.kind is TriggerKind.FILE:
        return f"file {trigger.pattern}"
    if trigger.kind is TriggerKind.ROWS:
        return f"rows: {trigger.query}"
    how = {EndedAs.SUCCESS: "succeeded", EndedAs.FAILURE: "failed", EndedAs.ANY: "ended"}[trigger.ended]
    return f"a run {how} of schedule {trigger.schedule_number}"


def span(value: float) -> str:
    """Seconds as they are written on the command line."""
    for unit, size in (("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60)):
        if value >= size and value % size == 0:
            return f"{value / size:g}{unit}"
    return f"{value:g}s"


def moment(time: datetime | None, schedule: Schedule) -> str:
    """A time in the schedule's zone."""
    if time is None:
        return ""
    local = time.astimezone(ZoneInfo(schedule.timing.timezone))
    return local.strftime("%Y-%m-%d %H:%M:%S" if local.second else "%Y-%m-%d %H:%M")


def parameters_of(values: Mapping[str, Any]) -> str:
    """Parameters on one line."""
    return tables.pairs(dict(values))


def added(view: ScheduleDetail, scheduler: SchedulerStatus) -> RenderableType:
    """What was just made or changed."""
    from rich.console import Group

    return Group(*_head(view), *_next_lines(view, 3), *_told(scheduler))


def details(view: ScheduleDetail, scheduler: SchedulerStatus) -> RenderableType:
    """All of one schedule."""
    from rich.console import Group

    policy, options = view.policy, view.options
    lines = [
        *_head(view),
        f"  missed      {_MISSED[policy.missed]}, up to {span(policy.horizon)} old",
        f"  overlap     {_OVERLAP[policy.overlap]}",
    ]
    if policy.retries:
        lines.append(f"  retries     {policy.retries}, the first after {span(policy.retry_delay)}")
    if view.timing.jitter:
        lines.append(f"  jitter      up to {span(view.timing.jitter)}")
    for name, time in (("start", view.timing.start_at), ("end", view.timing.end_at)):
        if time is not None:
            lines.append(f"  {name:11} {moment(time, view)}")
    limits = {
        "run-timeout": options.run_seconds and span(options.run_seconds),
        "step-timeout": options.cell_seconds and span(options.cell_seconds),
        "memory": options.memory,
        "workers": options.workers if options.workers != 1 else None,
        "from": options.first,
        "until": options.last,
        "only": options.only,
        "force": options.force,
    }
    told = ", ".join(f"{name} {value}" for name, value in limits.items() if value)
    if told:
        lines.append(f"  options     {escape(told)}")
    if view.notify:
        lines.append(f"  notify      {escape(', '.join(view.notify))}")
    return Group(*lines, *_next_lines(view, 5), "", _fires_table(view, view.fires), "", *_told(scheduler))


def _head(view: ScheduleDetail) -> list[str]:
    paused = f"  [yellow]paused[/] since {moment(view.paused_at, view)}" if view.paused_at is not None else ""
    lines = [
        f"[bold]Schedule {view.number}[/] runs {escape(view.notebook)} {_at(view)} ({view.timing.timezone}).{paused}",
        f"  notebook    {notebook_of(view)}",
    ]
    if view.parameters:
        lines.append(f"  parameters  {tables.pairs(view.parameters, view.left_out.get('parameters'))}")
    return lines


def notebook_of(view: ScheduleView) -> str:
    """Which bytes it runs."""
    if view.notebook_object is None:
        return "its file as it is at each fire time"
    pinned = f"pinned {view.notebook_object[:8]}"
    if not view.notebook_changed:
        return f"{pinned}, as its file is now"
    return (
        f"{pinned}; [yellow]its file has changed since[/]: 'schedule edit {view.number} --pin' takes it as it is now, "
        "--follow always does"
    )


def _at(view: ScheduleView) -> str:
    return f"{'at' if view.trigger is None else 'for'} '{escape(when(view))}'"


def _next_lines(view: ScheduleDetail, count: int) -> list[str]:
    if view.trouble:
        return [f"  [red]cannot look[/]: {escape(view.trouble)}"]
    if view.paused_at is not None or view.trigger is not None:
        return []
    if not view.fires_next:
        return ["  next        [yellow]never again[/]: its end has passed"]
    return [f"  next        {', '.join(moment(time, view) for time in view.fires_next[:count])}"]


def _fires_table(view: ScheduleView, fires: Sequence[Fire]) -> RenderableType:
    if not fires:
        return "[dim]It has not fired yet.[/]"
    made = tables.table("fired", "cause", "", "note")
    for fire in fires:
        made.add_row(moment(fire.fire_at, view), fire.cause.kind.value, tables.state(fire.status), escape(fire.note))
    return made


def schedules_table(views: Sequence[ScheduleView], scheduler: SchedulerStatus) -> RenderableType:
    """All schedules, and who fires them."""
    from rich.console import Group

    if not views:
        return "There are no schedules yet. Add one: schedule add NOTEBOOK --cron '0 6 * * *'"
    made = tables.table("#>", "notebook", "when", "zone", "parameters", "next", "last")
    for view in views:
        fire = view.last_fire
        following = moment(view.fires_next[0], view) if view.fires_next else "[dim]never[/]"
        if view.trigger is not None:
            following = "[red]cannot look[/]" if view.trouble else "[dim]waits[/]"
        changed = " [yellow]*[/]" if view.notebook_changed else ""
        made.add_row(
            str(view.number),
            f"{escape(view.notebook)}{changed}",
            escape(when(view)),
            view.timing.timezone,
            tables.pairs(view.parameters, view.left_out.get("parameters")),
            "[yellow]paused[/]" if view.paused_at is not None else following,
            f"{tables.state(fire.status)} {moment(fire.fire_at, view)}" if fire else "[dim]never[/]",
        )
    notes = ["[yellow]*[/] pinned, and the file has changed since: schedule show NUMBER"]
    return Group(made, *(notes if any(view.notebook_changed for view in views) else []), *_told(scheduler))


def _told(scheduler: SchedulerStatus) -> list[str]:
    if scheduler.alive:
        return [f"[green]A scheduler is running[/] on {escape(scheduler.host or '')}."]
    return [
        "[yellow]No scheduler is running[/], so no scheduled runs will start. Start one: jupyter mlops scheduler "
        "(with --detach in the background)"
    ]


def imported(found: Sequence[ImportedDefinition]) -> RenderableType:
    """What became of each job definition."""
    if not found:
        return "There are no job definitions in this database."
    made = tables.table("job definition", "notebook", "when", "schedule>", "note")
    for each in found:
        number = "" if each.schedule is None else str(each.schedule)
        note = f"[yellow]{escape(each.problem)}[/]" if each.problem else escape(" ".join(each.notes))
        made.add_row(escape(each.name), escape(each.notebook), escape(each.cron), number, note)
    return made
