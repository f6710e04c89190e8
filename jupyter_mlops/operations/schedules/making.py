"""`schedule add` and `edit`: a schedule is checked as its next fire would be, before it is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.run import RunOptions
from jupyter_mlops.domain.schedule import Fire, Policy, Schedule, Timing, Trigger
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.notices.targets import check_target
from jupyter_mlops.jobs.queue.request import Request
from jupyter_mlops.jobs.queue.sources import fix_modules
from jupyter_mlops.jobs.scheduler.cron import check_cron, check_timezone, local_timezone
from jupyter_mlops.jobs.scheduler.firing import check_fire
from jupyter_mlops.jobs.scheduler.timing import check_timing, due_at, next_after
from jupyter_mlops.jobs.scheduler.triggers import baseline, check_no_circle, check_trigger, example_cause
from jupyter_mlops.operations.runs.run import named_steps
from jupyter_mlops.store.store import Store

MOST_RETRIES = 100


@dataclass(frozen=True)
class ScheduleRequest:
    """What is asked of a schedule: values that are None, or not given, are as usual (`add`) or as they were (`edit`).

    `parameters` are values, `templates` texts to be rendered for each fire time; `unset` are names of either that go.
    `follow`: run the notebook's file as it is then, not its bytes of now. `pin`: its bytes of now.
    """

    cron: str | None = None
    every: float | None = None
    zone: str | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    unset: Sequence[str] = ()
    trigger: Trigger | None = None
    """What to wait for in place of a time; in `edit`, in place of what it waited for."""
    includes_present: bool = False
    """Whether files and values that are there already fire, too."""
    policy: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Policy`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `RunOptions`."""
    notify: Sequence[str] | None = None
    kernel: str | None = None
    follow: bool = False
    pin: bool = False


def add_schedule(store: Store, notebook: Path, asked: ScheduleRequest, *, now: datetime) -> Schedule:
    """Make a schedule. The time zone is the machine's where none is given.

    Raises `InputError`, `UnknownNameError` or `NotebookError` for what could not run at its next fire time.
    """
    path = store.relative(Path(notebook).absolute())
    if Path(path).is_absolute():
        raise InputError(
            f"The notebook '{path}' is not in the project '{store.root}'.",
            "Run this command in the project that contains it.",
        )
    blank = Schedule(store.new_id(), 0, path, Timing(timezone=local_timezone()), created_at=now)
    schedule = checked_schedule(store, blank, asked, now=now, pins=not asked.follow, is_new=True)
    present = [] if asked.includes_present else baseline(store, schedule)
    made = store.schedules.create(schedule)
    store.schedules.note_sightings(made.id, present)
    return made


def edit_schedule(store: Store, number: int, asked: ScheduleRequest, *, now: datetime) -> Schedule:
    """Change a schedule; what is not asked for stays. A new timing counts from `now`. Raises as `add_schedule`."""
    before = store.schedules.get(number)
    if asked.follow:
        before = replace(before, notebook_object=None, options=replace(before.options, modules={}))
    schedule = checked_schedule(store, before, asked, now=now, pins=asked.pin, is_new=False)
    if schedule.trigger != before.trigger and not asked.includes_present:
        store.schedules.note_sightings(schedule.id, baseline(store, schedule))
    return store.schedules.replace(schedule)


def checked_schedule(
    store: Store,
    before: Schedule,
    asked: ScheduleRequest,
    *,
    now: datetime,
    pins: bool = True,
    is_new: bool = True,
    data: bytes | None = None,
) -> Schedule:
    """`before` with what is asked for, proven to be able to run at its next fire time. Raises as `add_schedule`.

    With `pins` it runs the bytes of the notebook as they are now, or `data` where they are given.
    """
    timing, trigger = _when(before, asked, now)
    gone = {*asked.unset, *asked.parameters, *asked.templates}
    _check_unset(before, asked.unset)
    schedule = replace(
        before,
        timing=timing,
        trigger=trigger,
        parameters={**_without(before.parameters, gone), **asked.parameters},
        templates={**_without(before.templates, gone), **asked.templates},
        policy=_policy(before.policy, asked.policy),
        notify=before.notify
        if asked.notify is None
        else tuple(check_target(store.root, each) for each in asked.notify),
        kernel_name=asked.kernel or before.kernel_name,
        notebook_object=None if pins else before.notebook_object,
    )
    if data is not None:
        schedule = replace(schedule, notebook_object=store.objects.put(data))
    if is_new or (timing, trigger) != (before.timing, before.trigger):
        schedule = replace(schedule, decided_until=now, trouble="")
    if trigger is not None and trigger.schedule_id:
        check_no_circle(schedule, {each.id: each for each in store.schedules.list()})
    following = next_after(schedule, schedule.decided_until or now)
    fire = Fire(schedule.id, following or now, "claimed", cause=example_cause(trigger))
    request = check_fire(store, schedule, fire)
    schedule = replace(
        schedule,
        parameters={name: value for name, value in request.given.items() if name not in schedule.templates},
        options=named_steps(request, replace(before.options, **dict(asked.options))),
        next_fire_at=following,
    )
    return _pinned(store, schedule, request) if pins else replace(schedule, due_at=due_at(schedule, following))


def _pinned(store: Store, schedule: Schedule, request: Request) -> Schedule:
    """With the bytes of notebook and modules as they are now."""
    options: RunOptions = replace(schedule.options, modules=fix_modules(store, request))
    return replace(
        schedule,
        notebook_object=store.objects.put(request.data),
        options=options,
        due_at=due_at(schedule, schedule.next_fire_at),
    )


def _when(before: Schedule, asked: ScheduleRequest, now: datetime) -> tuple[Timing, Trigger | None]:
    """The times at which it fires, or what it waits for."""
    timed = asked.cron is not None or asked.every is not None
    if asked.trigger is not None and timed:
        raise InputError("A schedule fires at set times or by a trigger, not both.", "Make a second schedule.")
    if asked.trigger is not None or (before.trigger is not None and not timed):
        if asked.start_at is not None or asked.end_at is not None or asked.jitter:
            raise InputError("--start, --end and --jitter are for set times.", "Omit them, or pause the schedule.")
        zone = before.timing.timezone if asked.zone is None else check_timezone(asked.zone)
        return Timing(timezone=zone), check_trigger(asked.trigger or before.trigger)
    return _timing(before.timing, asked, now), None


def _timing(before: Timing, asked: ScheduleRequest, now: datetime) -> Timing:
    if asked.cron and asked.every is not None:
        raise InputError("--cron and --every cannot be combined.", "Give one of them.")
    changed: dict[str, Any] = {}
    if asked.cron:
        changed |= {"cron": check_cron(asked.cron), "every": None}
    if asked.every is not None:
        changed |= {"cron": "", "every": asked.every}
    if asked.zone is not None:
        changed["timezone"] = check_timezone(asked.zone)
    for name in ("start_at", "end_at", "jitter"):
        value = getattr(asked, name)
        if value is not None:
            changed[name] = value
    timing = replace(before, **changed)
    is_set = bool(timing.cron) or timing.every is not None
    return timing if is_set and timing == before else check_timing(timing, now=now)


def _policy(before: Policy, asked: Mapping[str, Any]) -> Policy:
    policy = replace(before, **dict(asked))
    if not 0 <= policy.retries <= MOST_RETRIES:
        raise InputError(f"{policy.retries} retries are not possible.", f"Write a number from 0 to {MOST_RETRIES}.")
    return policy


def _check_unset(before: Schedule, names: Sequence[str]) -> None:
    for name in names:
        if name not in before.parameters and name not in before.templates:
            raise InputError(
                f"Schedule {before.number} sets no parameter '{name}'.",
                f"See what it sets: jupyter mlops schedule show {before.number}",
            )


def _without(values: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
