from __future__ import annotations

from datetime import datetime, timezone
from itertools import islice

import pytest

from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.jobs.scheduler.cron import check_cron, check_timezone, fire_times, local_timezone, next_fire_time


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def times(cron: str, zone: str, after: str, count: int) -> list[str]:
    return [f"{moment:%m-%d %H:%M}" for moment in islice(fire_times(cron, zone, at(after)), count)]


def test_fire_times_are_utc_and_strictly_after() -> None:
    moment = next_fire_time("0 6 * * *", "Europe/Berlin", at("2026-01-10 05:00"))
    assert moment == at("2026-01-11 05:00")
    assert moment.utcoffset() is not None
    assert next_fire_time("0 6 * * *", "Europe/Berlin", at("2026-01-10 04:59:59")) == at("2026-01-10 05:00")


def test_a_daily_time_keeps_its_local_hour_over_both_clock_changes() -> None:
    assert times("0 6 * * *", "Europe/Berlin", "2026-03-27 12:00", 3) == ["03-28 05:00", "03-29 04:00", "03-30 04:00"]
    assert times("0 6 * * *", "Europe/Berlin", "2026-10-24 00:00", 3) == ["10-24 04:00", "10-25 05:00", "10-26 05:00"]


def test_a_time_within_the_gap_fires_once_right_after_it() -> None:
    assert times("30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", 2) == ["03-29 01:00", "03-30 00:30"]


def test_a_fixed_time_that_comes_twice_fires_once_and_an_interval_goes_on() -> None:
    assert times("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", 2) == ["10-25 00:30", "10-26 01:30"]
    assert times("*/30 * * * *", "Europe/Berlin", "2026-10-24 23:59", 5) == [
        "10-25 00:00",
        "10-25 00:30",
        "10-25 01:00",
        "10-25 01:30",
        "10-25 02:00",
    ]


@pytest.mark.parametrize(
    ("cron", "hint"),
    [
        ("", "Five fields"),
        ("* * * *", "Five fields"),
        ("* * * * * *", "Five fields"),
        ("61 * * * *", "Five fields"),
        ("a b c d e", "Five fields"),
        ("0 0 31 2 *", "Five fields"),
        ("@daily", "0 0 * * *"),
    ],
)
def test_what_is_no_cron_expression_is_refused_with_the_form(cron: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        check_cron(cron)
    assert hint in caught.value.hint


def test_spaces_are_made_single() -> None:
    assert check_cron("  */5  *  * *   MON-FRI ") == "*/5 * * * MON-FRI"


@pytest.mark.parametrize(
    ("zone", "meant"), [("Europe/Berln", "Europe/Berlin"), ("berlin", "Europe/Berlin"), ("../../etc/passwd", "UTC")]
)
def test_an_unknown_time_zone_gets_a_did_you_mean(zone: str, meant: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        check_timezone(zone)
    assert meant in caught.value.hint


def test_the_machine_has_a_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert local_timezone() == "Asia/Tokyo"
    monkeypatch.setenv("TZ", "nonsense")
    assert check_timezone(local_timezone())
