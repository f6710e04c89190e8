"""The options of `schedule add` and `edit`, and what they ask for."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from jupyter_mlops.analysis.pipeline.step_options import parse_duration
from jupyter_mlops.domain.schedule import EndedAs, Missed, Overlap, Trigger, TriggerKind
from jupyter_mlops.errors import InputError
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import Context
from jupyter_mlops.verbs.runs.run import add_limits, add_notify, add_parameters, add_steps, asked_parameters, options_of

if TYPE_CHECKING:
    from jupyter_mlops.operations.schedules.making import ScheduleRequest

_EVERY = "every "


def _duration(option: str) -> Any:
    return partial(parse_duration, option=option)


def _duration_or_zero(option: str) -> Any:
    return lambda text: 0.0 if text.strip() == "0" else parse_duration(text, option)


def add_options(parser: argparse.ArgumentParser, *, edits: bool = False) -> None:
    """When, with what, and what becomes of missed and overlapping fire times."""
    parser.add_argument(
        "--cron", metavar="EXPR", help="five fields, such as '0 6 * * *': daily at 6:00; or 'every 15m'"
    )
    parser.add_argument("--every", type=_duration("--every"), metavar="TIME", help="an interval, such as 15m or 1d")
    parser.add_argument(
        "--on-file",
        metavar="GLOB",
        help="fire for each new or changed file, once it no longer changes, such as 'data/*.csv'",
    )
    parser.add_argument(
        "--after", type=schedule_number, metavar="NUMBER", help="fire when a run of this schedule has ended"
    )
    parser.add_argument(
        "--when",
        choices=[each.value for each in EndedAs],
        help="with --after: how that run has to end (default success)",
    )
    parser.add_argument(
        "--on-rows",
        nargs=2,
        metavar=("URL", "QUERY"),
        help="fire when the query's first value is another one than before; URL as SQLAlchemy writes it, or secret:NAME",
    )
    parser.add_argument(
        "--settle",
        type=_duration("--settle"),
        metavar="TIME",
        help="how long a file must not have changed (default 5s), how often the query is asked (default 60s)",
    )
    parser.add_argument(
        "--present", action="store_true", help="with --on-file and --on-rows: fire for what is there already, too"
    )
    parser.add_argument("--tz", metavar="ZONE", help="time zone, such as Europe/Berlin; default: the machine's")
    parser.add_argument("--start", metavar="TIME", help="fire not before this date or time, such as '2027-01-31 06:00'")
    parser.add_argument("--end", metavar="TIME", help="fire not after this date or time")
    parser.add_argument(
        "--jitter",
        type=_duration_or_zero("--jitter"),
        metavar="TIME",
        help="start its runs up to so much later, always as much, so that not all schedules start at once",
    )
    add_parameters(parser)
    parser.add_argument(
        "--missed",
        choices=[each.value for each in Missed],
        help="which fire times are made up that passed while no scheduler was running (default all)",
    )
    parser.add_argument(
        "--horizon",
        type=_duration("--horizon"),
        metavar="TIME",
        help="fire times missed longer ago than this are not made up (default 1d)",
    )
    parser.add_argument(
        "--overlap",
        choices=[each.value for each in Overlap],
        help="while an earlier run goes on: skip this one, let it wait (default queue), or cancel the earlier",
    )
    parser.add_argument("--retries", type=_retries, metavar="N", help="continue a failed run up to N times (default 0)")
    parser.add_argument(
        "--retry-delay",
        type=_duration("--retry-delay"),
        metavar="TIME",
        help="wait so long before the first retry, twice as long before each further one (default 60s)",
    )
    parser.add_argument("--kernel", help="the kernel to use instead of the notebook's own")
    follow = parser.add_mutually_exclusive_group()
    follow.add_argument(
        "--follow", action="store_true", help="run the notebook's file as it is at each fire time, not as it is now"
    )
    if edits:
        follow.add_argument("--pin", action="store_true", help="run the notebook as its file is now")
        parser.add_argument(
            "--unset", action="append", default=[], metavar="NAME", help="set this parameter no more; can be repeated"
        )
    add_steps(parser)
    add_limits(parser)
    add_notify(parser)


def _retries(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 100):
        raise InputError(f"'{text}' is not a number of retries.", "Write a number from 0 to 100.")
    return int(text)


def asked_of(arguments: argparse.Namespace, notebook: Path, context: Context) -> ScheduleRequest:
    """What the options ask for. Raises `InputError`."""
    from jupyter_mlops.operations.schedules.making import ScheduleRequest

    cron: str | None = arguments.cron
    every: float | None = arguments.every
    if cron is not None and cron.strip().startswith(_EVERY):
        every = parse_duration(cron.strip()[len(_EVERY) :], "--cron")
        cron = None
    policy = {name: getattr(arguments, name) for name in ("horizon", "retries", "retry_delay")}
    policy["missed"] = arguments.missed and Missed(arguments.missed)
    policy["overlap"] = arguments.overlap and Overlap(arguments.overlap)
    templates, parameters = _parameters(arguments, notebook, context)
    zone = arguments.tz
    return ScheduleRequest(
        cron=cron,
        every=every,
        zone=zone,
        start_at=_moment(arguments.start, "--start", zone),
        end_at=_moment(arguments.end, "--end", zone),
        jitter=arguments.jitter,
        parameters=parameters,
        templates=templates,
        unset=getattr(arguments, "unset", ()),
        policy={name: value for name, value in policy.items() if value is not None},
        options=_changed_options(arguments),
        notify=arguments.notify or None,
        kernel=arguments.kernel,
        trigger=_trigger(arguments, context),
        includes_present=arguments.present,
        follow=arguments.follow,
        pin=getattr(arguments, "pin", False),
    )


def _trigger(arguments: argparse.Namespace, context: Context) -> Trigger | None:
    """What to wait for. Raises `InputError` where more than one thing is asked for."""
    given = [each for each in (arguments.on_file, arguments.after, arguments.on_rows) if each is not None]
    if not given:
        return None
    if len(given) > 1:
        raise InputError("--on-file, --after and --on-rows cannot be combined.", "Make a schedule for each.")
    if arguments.on_file is not None:
        return Trigger(TriggerKind.FILE, _pattern(arguments.on_file), settle=arguments.settle or 5.0)
    if arguments.on_rows is not None:
        url, query = arguments.on_rows
        return Trigger(TriggerKind.ROWS, url=url, query=query, settle=arguments.settle or 60.0)
    with open_project(context) as store:
        watched = store.schedules.get(arguments.after)
    return Trigger(
        TriggerKind.RUN,
        schedule_id=watched.id,
        schedule_number=watched.number,
        ended=EndedAs(arguments.when or EndedAs.SUCCESS),
    )


def _pattern(text: str) -> str:
    """A pattern relative to the project. Raises `InputError`."""
    if not text.strip() or Path(text).is_absolute() or ".." in Path(text).parts:
        raise InputError(
            f"'{text}' of '--on-file' is not a path within the project.",
            "Write it from the project's folder: 'data/*.csv'.",
        )
    return text


def schedule_number(text: str) -> int:
    """A schedule's number as it is typed. Raises `InputError`."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise InputError(f"'{text}' is not a schedule's number.", "See the numbers: jupyter mlops schedule list")
    return int(text)


def _parameters(
    arguments: argparse.Namespace, notebook: Path, context: Context
) -> tuple[dict[str, str], dict[str, Any]]:
    """Templates and plain values."""
    from jupyter_mlops.jobs.scheduler.templates import is_template

    of_arguments = {name: text for name, text in arguments.parameter if is_template(text)}
    plain = argparse.Namespace(**vars(arguments))
    plain.parameter = [[name, text] for name, text in arguments.parameter if name not in of_arguments]
    values = asked_parameters(plain, notebook, context)
    of_files = {name: value for name, value in values.items() if is_template(value)}
    given = {name: value for name, value in values.items() if name not in of_files and name not in of_arguments}
    return of_files | of_arguments, given


def _changed_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Of the options of a run those that are not as usual."""
    from jupyter_mlops.domain.run import RunOptions

    usual = vars(RunOptions())
    found = vars(options_of(arguments))
    return {name: value for name, value in found.items() if value != usual[name] and name != "notify"}


def _moment(text: str | None, option: str, zone: str | None) -> datetime | None:
    """A moment written as ISO 8601, in the schedule's zone where it names no offset. Raises `InputError`."""
    if text is None:
        return None
    from jupyter_mlops.jobs.scheduler.cron import check_timezone, local_timezone

    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(
            f"'{text}' of '{option}' is not a date or time.", "Write it as 2027-01-31 or '2027-01-31 06:00'."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(check_timezone(zone or local_timezone())))
    return moment.astimezone(timezone.utc)
