"""The verb schedule, as it is typed; nothing executes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from notebooks import code, write_notebook

from jupyter_mlops.cli.main import main
from jupyter_mlops.operations.schedules import steering

Call = Callable[..., tuple[int, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`call("schedule", "list")` gives the exit code and all that was printed."""
    write_notebook(tmp_path / "a.ipynb", code("n: int = 1\nday = ''", "parameters"), code("%%step s\npass"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(steering, "ensure_worker", lambda _store: None)

    def call(*words: str) -> tuple[int, str]:
        exit_code = main(["schedule", *words])
        captured = capsys.readouterr()
        return exit_code, captured.out + captured.err

    return call


def as_json(call: Call, *words: str) -> Any:
    exit_code, text = call(*words, "--json")
    assert exit_code == 0, text
    return json.loads(text)


def test_all_options_are_kept_and_shown(call: Call) -> None:
    words = (
        "add a.ipynb --cron 30#2#*#*#* --tz Europe/Berlin --start 2027-01-01 --end 2027-12-31T12:00 --jitter 5m -p n 3"
    )
    words += " --missed latest --horizon 6h --overlap skip --retries 2 --retry-delay 10m"
    words += " --run-timeout 1h --workers 2 --only s"
    made = as_json(call, *(word.replace("#", " ") for word in words.split()), "-p", "day", "{{ fire_time.date() }}")
    assert made["timing"] == {
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "every": None,
        "start_at": "2026-12-31T23:00:00+00:00",
        "end_at": "2027-12-31T11:00:00+00:00",
        "jitter": 300.0,
    }
    assert made["policy"] == {
        "missed": "latest",
        "horizon": 21600.0,
        "overlap": "skip",
        "retries": 2,
        "retry_delay": 600.0,
    }
    assert made["parameters"] == {"n": 3, "day": "{{ fire_time.date() }}"}
    assert (made["options"]["run_seconds"], made["options"]["workers"], made["options"]["only"]) == (3600.0, 2, "s")
    assert made["fires_next"][0] == "2027-01-01T01:30:00+00:00"
    exit_code, text = call("show", "1")
    assert exit_code == 0
    for part in (
        "Schedule 1 runs a.ipynb at '30 2 * * *' (Europe/Berlin)",
        "the latest is made up, up to 6h old",
        "the next run is skipped",
        "2, the first after 10m",
        "run-timeout 1h, workers 2, only s",
        "2027-01-01 02:30",
        "as its file is now",
        "It has not fired yet",
        "No scheduler is running",
    ):
        assert part in text, text


def test_the_next_times_come_with_their_parameters(call: Call) -> None:
    call(
        "add",
        "a.ipynb",
        "--cron",
        "every 1d",
        "--start",
        "2027-03-01 06:00",
        "--tz",
        "UTC",
        "-p",
        "day",
        "{{ fire_time.date() }}",
    )
    found = as_json(call, "next", "1", "-n", "2")
    assert found == {
        "schedule": 1,
        "next": [
            {"fire_at": "2027-03-01T06:00:00+00:00", "parameters": {"day": "2027-03-01"}},
            {"fire_at": "2027-03-02T06:00:00+00:00", "parameters": {"day": "2027-03-02"}},
        ],
    }
    assert "2027-03-01 06:00" in call("next", "1")[1]


def test_a_schedule_is_paused_resumed_run_edited_and_removed(call: Call) -> None:
    call("add", "a.ipynb", "--every", "1h")
    assert "is paused: it fires no more until you resume it" in call("pause", "1")[1]
    assert "paused" in call("list")[1]
    assert "is paused. Resume it" in call("next", "1")[1]
    assert "fires again, next " in call("resume", "1")[1]
    exit_code, text = call("run-now", "1")
    assert (exit_code, "Run 1 of a.ipynb is in the queue" in text) == (0, True)
    rows = as_json(call, "show", "1")["schedule"]["fires"]
    assert [(row["status"], row["cause"]["kind"]) for row in rows] == [("started", "manual")]
    changed = as_json(call, "edit", "1", "--retries", "3")
    assert (changed["policy"]["retries"], changed["timing"]["every"]) == (3, 3600.0)
    assert "is removed" in call("remove", "1")[1]
    exit_code, text = call("show", "1")
    assert (exit_code, "There is no schedule named '1'" in text) == (2, True)
    assert "no schedules yet" in call("list")[1]


def test_a_pinned_notebook_that_was_edited_is_marked(call: Call, tmp_path: Path) -> None:
    call("add", "a.ipynb", "--every", "1h")
    write_notebook(tmp_path / "a.ipynb", code("n: int = 2\nday = ''", "parameters"))
    assert "pinned, and the file has changed since" in call("list")[1]
    assert "its file has changed since" in call("show", "1")[1]
    assert "as its file is now" in call("edit", "1", "--pin")[1]
    assert "its file as it is at each fire time" in call("edit", "1", "--follow")[1]


def test_triggers_are_shown_for_what_they_wait_for(call: Call) -> None:
    call("add", "a.ipynb", "--on-file", "data/*.csv", "-p", "day", "{{ cause.path }}")
    call("add", "a.ipynb", "--after", "1", "--when", "failure")
    call("add", "a.ipynb", "--on-rows", "sqlite://", "select 1")
    exit_code, text = call("list")
    assert exit_code == 0
    for part in ("file data/*.csv", "a run failed of schedule 1", "rows: select 1", "waits"):
        assert part in text, text
    assert "for 'file data/*.csv'" in call("show", "1")[1]
    assert "waits for file data/*.csv; it has no fire times" in call("next", "1")[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["add", "a.ipynb"], "--cron '0 6 * * *' or --every 15m"),
        (["add", "a.ipynb", "--cron", "* * *"], "it has 3 fields"),
        (["add", "a.ipynb", "--cron", "0 6 * * *", "--every", "1h"], "cannot be combined"),
        (["add", "a.ipynb", "--cron", "0 6 * * *", "--tz", "Berlin"], "Did you mean 'Europe/Berlin'?"),
        (["add", "a.ipynb", "--every", "soon"], "not a duration"),
        (["add", "a.ipynb", "--every", "1h", "--start", "tomorrow"], "is not a date or time"),
        (["add", "a.ipynb", "--every", "1h", "-p", "n", "{{ fire_time }}"], "Parameter 'n'"),
        (["add", "a.ipynb", "--every", "1h", "-p", "n", "{{ nothing }}"], "cannot be rendered"),
        (["add", "a.ipynb", "--every", "1h", "--retries", "many"], "not a number of retries"),
        (["add", "b.ipynb", "--every", "1h"], "There is no notebook named"),
        (["run-now", "x"], "not a schedule's number"),
        (["add", "a.ipynb", "--on-file", "/data/*.csv"], "not a path within the project"),
        (["add", "a.ipynb", "--on-file", "a", "--on-rows", "sqlite://", "select 1"], "cannot be combined"),
        (["add", "a.ipynb", "--on-file", "a", "--cron", "0 6 * * *"], "not both"),
    ],
)
def test_what_cannot_be_is_a_usage_error_with_the_mend(call: Call, words: list[str], says: str) -> None:
    exit_code, text = call(*words)
    assert exit_code == 2, text
    assert says in text, text
    assert "Traceback" not in text
