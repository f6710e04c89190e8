"""Fire times around clock changes, against the rule spelled out minute by minute, and from any start."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from jupyter_mlops.jobs.scheduler.cron import fire_times

pytestmark = pytest.mark.slow

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ZONES = (
    "Europe/Berlin",  # back at 3:00 summer time
    "America/New_York",  # at 2:00
    "Australia/Lord_Howe",  # by half an hour
    "Africa/Cairo",  # at midnight, and not in all of these years
    "America/Santiago",  # at midnight, on the southern half
    "Africa/Casablanca",  # four times a year, around Ramadan
)
EXPRESSIONS = (
    "30 2 * * *",
    "*/30 2 * * *",
    "*/20 * * * *",
    "30 0-23 * * *",
    "15 */2 * * *",
    "0 0 * * *",
    "45 0-3 * * *",
    "10,40 1,2,3 * * SUN",
    "0 3 1-7 * MON-SAT",
    "5 23 * 3-11 *",
)
YEARS = (2024, 2034)


def clock_changes(zone: str) -> list[datetime]:
    """The first minutes (UTC) with another offset than the minute before."""
    place, found = ZoneInfo(zone), []
    start, end = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in YEARS)
    hours = int((end - start) / HOUR)
    for before in (start + HOUR * count for count in range(hours)):
        if before.astimezone(place).utcoffset() != (before + HOUR).astimezone(place).utcoffset():
            offset = before.astimezone(place).utcoffset()
            minutes = (before + MINUTE * count for count in range(1, 61))
            found.append(next(at for at in minutes if at.astimezone(place).utcoffset() != offset))
    return found


def field(text: str, low: int, high: int, names: str = "") -> set[int]:
    """What one field of the expressions above allows."""
    allowed: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = ("", "", "") if span == "*" else span.partition("-")
        numbers = [names.split().index(word) if word in names.split() else int(word) for word in (first, last) if word]
        begin, end = (numbers[0], numbers[-1]) if numbers else (low, high)
        allowed.update(range(begin, end + 1, int(step or 1)))
    return allowed


class Rule:
    """The rule as the documentation has it, decided for each local minute."""

    def __init__(self, expression: str) -> None:
        minute, hour, day, month, weekday = expression.split()
        self.minutes, self.hours = field(minute, 0, 59), field(hour, 0, 23)
        self.days, self.months = field(day, 1, 31), field(month, 1, 12)
        self.weekdays = field(weekday, 0, 6, "SUN MON TUE WED THU FRI SAT")
        self.either = "*" not in (day, weekday)
        self.goes_on = hour.startswith("*") or len(self.hours) == 24

    def names(self, local: datetime) -> bool:
        day, weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        on_day = day or weekday if self.either else day and weekday
        return on_day and local.minute in self.minutes and local.hour in self.hours and local.month in self.months


def expected(rule: Rule, zone: str, change: datetime) -> list[datetime]:
    """Fire times from a day before a clock change to a day after it, found by looking at every minute."""
    place = ZoneInfo(zone)
    found: set[datetime] = set()
    for count in range(-1440, 1440):
        moment = change + MINUTE * count
        local = moment.astimezone(place)
        if rule.names(local) and (rule.goes_on or local.fold == 0):
            found.add(moment)
    before, after = ((change + step).astimezone(place).replace(tzinfo=None) for step in (-MINUTE, MINUTE * 0))
    left_out = [before + MINUTE * count for count in range(1, max(1, int((after - before) / MINUTE)))]
    if not rule.goes_on and any(map(rule.names, left_out)):
        found.add(change)
    return sorted(found)


def fired(expression: str, zone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    return itertools.takewhile(lambda moment: moment < until, fire_times(expression, zone, after))


@pytest.mark.parametrize("zone", ZONES)
def test_fire_times_around_each_clock_change_of_ten_years_are_those_of_the_rule_from_wherever_one_starts(
    zone: str,
) -> None:
    changes = clock_changes(zone)
    assert len(changes) >= 10
    for expression in EXPRESSIONS:
        rule = Rule(expression)
        for change in changes:
            end = change + MINUTE * 1440
            right = expected(rule, zone, change)
            assert list(fired(expression, zone, change - MINUTE * 1441, end)) == right, (expression, change)
            for minutes in (-150, -95, -61, -60, -59, -31, -30, -29, -20, -1, 0, 1, 10, 29, 30, 31, 59, 60, 61, 95):
                start = change + MINUTE * minutes + timedelta(seconds=7, microseconds=5)
                left = [moment for moment in right if moment > start]
                assert list(fired(expression, zone, start, end)) == left, (expression, start)


def test_a_start_within_the_repeated_hour_gives_no_time_before_it() -> None:
    start = datetime(2026, 10, 25, 1, 10, tzinfo=timezone.utc)  # 2:10 in Berlin, for the second time
    moments = list(itertools.islice(fire_times("30 2 * * *", "Europe/Berlin", start), 2))
    assert moments == [datetime(2026, 10, day, 1, 30, tzinfo=timezone.utc) for day in (26, 27)]


def test_a_fire_time_is_never_its_own_next() -> None:
    for expression, zone in itertools.product(EXPRESSIONS, ZONES):
        start = datetime(2026, 10, 1, tzinfo=timezone.utc)
        in_one_go = list(itertools.islice(fire_times(expression, zone, start), 100))
        one_by_one = [start]
        while len(one_by_one) <= 100:
            one_by_one.append(next(fire_times(expression, zone, one_by_one[-1])))
        assert one_by_one[1:] == in_one_go


@pytest.mark.parametrize(
    ("zone", "change", "expression", "shown"),
    [
        ("Europe/Berlin", "2026-03-29", "30 2 * * *", "03:00+02:00"),
        ("Europe/Berlin", "2026-03-29", "*/30 2 * * *", "03:00+02:00"),
        ("Europe/Berlin", "2026-10-25", "30 2 * * *", "02:30+02:00"),
        ("Europe/Berlin", "2026-10-25", "*/30 2 * * *", "02:00+02:00 02:30+02:00"),
        ("Africa/Cairo", "2026-04-24", "0 0 * * *", "01:00+03:00"),
        ("Australia/Lord_Howe", "2026-10-04", "10,20 2 * * *", "02:30+11:00"),
    ],
)
def test_what_the_documentation_says_of_single_days(zone: str, change: str, expression: str, shown: str) -> None:
    place = ZoneInfo(zone)
    midnight = datetime.fromisoformat(change).replace(tzinfo=place)
    end = (midnight + timedelta(days=1)).astimezone(timezone.utc)
    moments = fired(expression, zone, midnight.astimezone(timezone.utc) - MINUTE, end)
    assert (
        " ".join(
            moment.astimezone(place).isoformat()[11:16] + moment.astimezone(place).isoformat()[19:]
            for moment in moments
        )
        == shown
    )


def test_a_day_that_a_zone_left_out_is_made_up_for_once() -> None:
    start = datetime(2011, 12, 29, 12, tzinfo=timezone.utc)  # Samoa went over the date line: no 30 December
    daily = list(itertools.islice(fire_times("0 6 * * *", "Pacific/Apia", start), 3))
    local = [moment.astimezone(ZoneInfo("Pacific/Apia")).strftime("%d %H:%M") for moment in daily]
    assert local == ["29 06:00", "31 00:00", "31 06:00"]


def test_ten_years_of_a_daily_time_are_one_for_each_day() -> None:
    start, end = (datetime(year, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")) for year in YEARS)
    days = list(fired("30 2 * * *", "Europe/Berlin", start.astimezone(timezone.utc), end.astimezone(timezone.utc)))
    assert len(days) == (end.date() - start.date()).days
