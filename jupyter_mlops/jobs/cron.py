"""Fire times of cron expressions in time zones. Arithmetic and daylight saving rules are cronsim's, which are Debian's.

Where clocks are set forward over a fire time, it fires right after the gap; where they are set back, a fixed time fires
once, and an interval (`*/30`) goes on firing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from jupyter_mlops.errors import InputError, UnknownNameError

FIELDS = "Five fields: minute hour day month weekday, such as '0 6 * * *' (daily at 6:00) or '*/15 9-17 * * MON-FRI'."
_SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def check_cron(expression: str) -> str:
    """`expression` with single spaces, where it is a cron expression that fires at all. Raises `InputError`."""
    words = expression.split()
    if len(words) == 1 and words[0] in _SHORTHANDS:
        raise InputError(f"'{expression}' is a shorthand.", f"Write it out: '{_SHORTHANDS[words[0]]}'.")
    if len(words) != 5:
        raise InputError(f"'{expression}' is not a cron expression: it has {len(words)} fields.", FIELDS)
    text = " ".join(words)
    next_fire_time(text, "UTC", datetime(2024, 1, 1, tzinfo=timezone.utc))
    return text


def check_timezone(name: str) -> str:
    """`name` where it is an IANA time zone. Raises `UnknownNameError` with a did-you-mean."""
    _zone(name)
    return name


def fire_times(expression: str, zone: str, after: datetime) -> Iterator[datetime]:
    """The moments (aware, UTC) after `after` at which the expression fires in the time zone, in order, without end."""
    from cronsim import CronSim, CronSimError

    try:
        simulation = CronSim(expression, after.astimezone(_zone(zone)))
    except CronSimError as error:
        raise InputError(f"'{expression}' is not a cron expression: {str(error).lower()}.", FIELDS) from error
    for moment in simulation:
        yield moment.astimezone(timezone.utc)


def next_fire_time(expression: str, zone: str, after: datetime) -> datetime:
    """The first moment after `after`. Raises `InputError` where there is none."""
    for moment in fire_times(expression, zone, after):
        return moment
    raise InputError(f"'{expression}' never fires: there is no such day.", FIELDS)


def local_timezone() -> str:
    """The IANA name of this machine's time zone; UTC where it does not tell."""
    candidates = [os.environ.get("TZ", "").lstrip(":")]
    localtime = os.path.realpath("/etc/localtime")
    if "zoneinfo/" in localtime:
        candidates.append(localtime.split("zoneinfo/", 1)[1])
    try:
        candidates.append(Path("/etc/timezone").read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError):
        candidates.append("UTC")
    for name in candidates:
        if name:
            try:
                return check_timezone(name)
            except UnknownNameError:
                continue
    return "UTC"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = available_timezones()
        error = UnknownNameError.among("time zone", name, known)
        if "Did you mean" not in error.hint:
            ends = [zone for zone in known if zone.rpartition("/")[2].lower() == name.rpartition("/")[2].lower()]
            error.hint = f"Did you mean '{min(ends)}'?" if ends else "Name one as in Europe/Berlin, or UTC."
        raise error from None
