from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jupyter_mlops.domain.schedule import Heartbeat, Schedule, Timing
from jupyter_mlops.store.files.processes import this_process
from jupyter_mlops.store.store import Store

from .conftest import Ask

NOBODY = {"alive": False, "beat_at": None, "host": None}


async def test_without_a_project_there_are_none(ask: Ask, notebook: Path) -> None:
    assert (await ask("schedules", path="work/study.ipynb")).data == {"schedules": [], "scheduler": NOBODY}
    assert not (notebook.parent / ".mlops").exists()


async def test_schedules_come_with_their_next_fire_time(ask: Ask, store: Store) -> None:
    store.schedules.create(
        Schedule(
            store.new_id(),
            0,
            "study.ipynb",
            Timing("*/5 * * * *", "Europe/Berlin"),
            {"rate": 0.1},
            store.now(),
        )
    )
    answer = await ask("schedules", path="work/study.ipynb")
    assert answer.status == 200
    assert answer.data["scheduler"] == NOBODY
    [schedule] = answer.data["schedules"]
    assert (schedule["number"], schedule["timing"]["cron"], schedule["parameters"]) == (1, "*/5 * * * *", {"rate": 0.1})
    until = datetime.fromisoformat(schedule["fires_next"][0]) - store.now()
    assert timedelta(seconds=-5) < until <= timedelta(minutes=5)
    assert schedule["last_fire"] is None


async def test_a_scheduler_that_beats_is_alive(ask: Ask, store: Store) -> None:
    pid, started = this_process()
    now = store.now()
    store.schedules.beat(Heartbeat(store.new_id(), "host-a", pid, started, now, now))
    scheduler = (await ask("schedules", path="work/study.ipynb")).data["scheduler"]
    assert (scheduler["alive"], scheduler["host"]) == (True, "host-a")
    assert datetime.fromisoformat(scheduler["beat_at"]) == now


async def test_a_parameter_of_megabytes_is_shown_in_part(ask: Ask, store: Store) -> None:
    given = {"rate": 0.1, "text": "a" * 4_000_000}
    store.schedules.create(Schedule(store.new_id(), 0, "study.ipynb", Timing("*/5 * * * *"), given, store.now()))
    answer = await ask("schedules", path="work/study.ipynb")
    [schedule] = answer.data["schedules"]
    assert (schedule["parameters"]["rate"], len(schedule["parameters"]["text"])) == (0.1, 1000)
    assert schedule["left_out"]["parameters"]["texts"] == {"text": 4_000_000}


async def test_a_schedule_is_made_looked_at_steered_and_removed(ask: Ask, notebook: Path) -> None:
    body = {"path": "work/study.ipynb", "cron": "0 6 * * *", "timezone": "Europe/Berlin", "parameters": {"rate": 0.25}}
    made = await ask("schedules", body)
    assert (made.status, made.data["number"], made.data["parameters"]) == (201, 1, {"rate": 0.25})
    where = {"path": "work/study.ipynb"}
    paused = await ask("schedules/1/pause", where)
    assert paused.data["paused_at"] is not None
    assert paused.data["fires_next"] == []
    assert (await ask("schedules/1/pause", where)).status == 400
    assert (await ask("schedules/1/resume", where)).data["paused_at"] is None
    assert (await ask("schedules/1", path="work/study.ipynb")).data["fires"] == []
    assert (await ask("schedules/1/remove", where)).data["number"] == 1
    gone = await ask("schedules/1", path="work/study.ipynb")
    assert (gone.status, gone.data["code"]) == (404, "unknown_name")


async def test_a_schedule_that_cannot_be_is_refused(ask: Ask, notebook: Path) -> None:
    for given, says in (
        ({"cron": "0 6 * *"}, "4 fields"),
        ({"every": "often"}, "not a number of seconds"),
        ({"every": 900, "parameters": {"rate": "fast"}}, "rate"),
        ({}, "needs a cron expression or an interval"),
    ):
        answer = await ask("schedules", {"path": "work/study.ipynb", **given})
        assert answer.status == 400
        assert says in answer.data["message"]


async def test_a_schedule_is_run_at_once(ask: Ask, notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_mlops.operations.schedules import steering

    monkeypatch.setattr(steering, "ensure_worker", lambda _store: None)
    await ask("schedules", {"path": "work/study.ipynb", "every": 3600, "follow": True})
    answer = await ask("schedules/1/run-now", {"path": "work/study.ipynb"})
    assert (answer.status, answer.data["kind"], answer.data["cause"]["kind"]) == (201, "schedule", "manual")


async def test_the_scheduler_is_started_and_runs_without_the_server(ask: Ask, notebook: Path) -> None:
    from jupyter_mlops.jobs.scheduler.starting import scheduler_status, stop_schedulers

    await ask("schedules", {"path": "work/study.ipynb", "every": 3600})
    answer = await ask("scheduler/start", {"path": "work/study.ipynb"})
    with Store.open(notebook) as store:
        try:
            assert answer.data["alive"]
            (heart,) = store.schedules.heartbeats()
            assert (await ask("scheduler/start", {"path": "work/study.ipynb"})).data["alive"]
            assert [each.pid for each in store.schedules.heartbeats()] == [heart.pid], "there is one, not two"
        finally:
            assert [each.pid for each in stop_schedulers(store)] == [heart.pid]
        deadline = time.monotonic() + 30
        while scheduler_status(store, store.now()).alive and time.monotonic() < deadline:
            time.sleep(0.05)
        assert store.schedules.heartbeats() == []
