"""Fire times of cron expressions in time zones. Which local times match is cronsim's; what becomes of them when clocks
change is decided here, so that a fire time depends on nothing but the expression and the zone.

An expression whose hour field is fixed (`30 2`, `*/30 2`, `0 9-17`) fires once for each local time that it names: where
clocks are set forward over some, once for all of these, right after the gap; where clocks are set back over one, the
first time it comes. One that goes on through all hours (`*`, `*/2`, `0-23`) fires by the clock on the wall as it goes:
what a gap leaves out is not made up, and what comes twice fires twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache
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
        raise InputError(f"'{expression}' is a shorthand.", f"Write it in full: '{_SHORTHANDS[words[0]]}'.")
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
    place = _zone(zone)
    last = after.astimezone(timezone.utc)
    for moment in _moments(expression, place, last.astimezone(place)):
        if moment > last:
            last = moment
            yield moment


def _moments(expression: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The same in order, but some come twice, and the first ones may be before `after`."""
    matches = _local_times(expression, after.replace(tzinfo=None, fold=0) - _still_to_come_again(after))
    goes_on = _goes_on(expression)
    again: list[datetime] = []
    for local in matches:
        first, second = (_in_utc(local, zone, fold) for fold in (0, 1))
        while again and again[0] <= first:
            yield again.pop(0)
        if first == second:
            yield first
        elif first < second:  # clocks are set back: it comes twice
            yield first
            if goes_on:
                again.append(second)
        elif not goes_on:
            yield _end_of_gap(second, first, zone)
    yield from again


def _local_times(expression: str, after: datetime) -> Iterator[datetime]:
    """Naive local times after `after` that match. Raises `InputError`."""
    from cronsim import CronSim, CronSimError

    try:
        return iter(CronSim(expression, after))
    except CronSimError as error:
        raise InputError(f"'{expression}' is not a cron expression: {str(error).lower()}.", FIELDS) from error


def _goes_on(expression: str) -> bool:
    """Whether the expression goes on through all hours of a day."""
    from cronsim import CronSim

    hours = expression.split()[1]
    return hours.startswith("*") or len(CronSim(expression, datetime(2024, 1, 1)).hours) == 24


def _still_to_come_again(moment: datetime) -> timedelta:
    """How far clocks are set back within the time that `moment` stands in, where they are not set back yet."""
    span = moment.replace(fold=0).utcoffset(), moment.replace(fold=1).utcoffset()
    assert span[0] is not None
    assert span[1] is not None
    return max(span[0] - span[1], timedelta(0)) if moment.fold == 0 else timedelta(0)


def _in_utc(local: datetime, zone: ZoneInfo, fold: int) -> datetime:
    return local.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc)


@lru_cache(maxsize=256)
def _end_of_gap(before: datetime, later: datetime, zone: ZoneInfo) -> datetime:
    """The moment in (before, later] from which on the zone's offset is that of `later`, to the second."""
    offset = later.astimezone(zone).utcoffset()
    low, high = 0, int((later - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return before + timedelta(seconds=high)


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
            error.hint = f"Did you mean '{min(ends)}'?" if ends else "Use a name such as Europe/Berlin, or UTC."
        raise error from None
