"""The year of schedules that `make chaos` lets pass: a month of it, with three clock changes."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from .calendar import Calendar


def test_in_a_month_with_outages_each_fire_time_runs_once_or_a_row_says_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_TRACKING", "later")
    begin = datetime(2026, 3, 5, tzinfo=timezone.utc)
    account = Calendar(tmp_path, schedules=40, days=32, seed=5, begin=begin).live()
    assert account.wrong == []
    assert account.fire_times > 500
    assert account.outages > 3
    assert account.ran > account.fire_times / 2
    assert {"as missed", "as too old", "overlapping"} <= account.skipped.keys()
