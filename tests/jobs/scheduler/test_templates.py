from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from jupyter_mlops.domain.schedule import Schedule, Timing
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.scheduler.templates import is_template, render

FIRED = datetime(2026, 3, 10, 23, 30, tzinfo=timezone.utc)
SCHEDULE = Schedule("s", 4, "a.ipynb", Timing("30 0 * * *", "Europe/Berlin"))


def rendered(text: str, previous: datetime | None = None) -> str:
    return render({"day": text}, SCHEDULE, FIRED, previous, {"kind": "time"})["day"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ fire_time.date() }}", "2026-03-11"),
        ("{{ (fire_time - days(1)).date() }}", "2026-03-10"),
        ("{{ fire_time.isoformat() }}", "2026-03-11T00:30:00+01:00"),
        ("run-{{ schedule.number }}-{{ cause.kind }}", "run-4-time"),
        ("{{ (fire_time - hours(2)).strftime('%H:%M') }}", "22:30"),
        ("{% if previous_fire_time %}again{% else %}first{% endif %}", "first"),
    ],
)
def test_times_are_in_the_schedules_zone(text: str, value: str) -> None:
    assert is_template(text)
    assert rendered(text) == value


def test_the_fire_before_is_known() -> None:
    assert rendered("{{ previous_fire_time.date() }}", FIRED - timedelta(days=1)) == "2026-03-10"


@pytest.mark.parametrize(
    "text",
    [
        "{{ fire_tme }}",
        "{{ fire_time.date( }}",
        "{{ previous_fire_time.date() }}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.mro() }}",
    ],
)
def test_what_fails_is_told_with_the_template(text: str) -> None:
    with pytest.raises(InputError, match="The template of parameter 'day' cannot be rendered") as caught:
        rendered(text)
    assert text in caught.value.hint
    assert caught.value.details["parameter"] == "day"


def test_a_plain_text_is_none() -> None:
    assert not is_template("{day}")
    assert not is_template(3)
