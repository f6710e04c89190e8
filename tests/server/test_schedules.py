from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from jupyter_mlops.domain.schedule import Heartbeat, Schedule
from jupyter_mlops.store.files.processes import this_process
from jupyter_mlops.store.store import Store

from .conftest import Ask

NOBODY = {"alive": False, "beat_at": None, "host": None}


async def test_without_a_project_there_are_none(ask: Ask, notebook: Path) -> None:
    assert (await ask("schedules", path="work/study.ipynb")).data == {"schedules": [], "scheduler": NOBODY}
    assert not (notebook.parent / ".mlops").exists()


async def test_schedules_come_with_their_next_fire_time(ask: Ask, store: Store) -> None:
    store.schedules.create(
        Schedule(store.new_id(), 0, "study.ipynb", "*/5 * * * *", "Europe/Berlin", {"rate": 0.1}, store.now())
    )
    answer = await ask("schedules", path="work/study.ipynb")
    assert answer.status == 200
    assert answer.data["scheduler"] == NOBODY
    [schedule] = answer.data["schedules"]
    assert (schedule["number"], schedule["cron"], schedule["parameters"]) == (1, "*/5 * * * *", {"rate": 0.1})
    until = datetime.fromisoformat(schedule["next_fire_at"]) - store.now()
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
    store.schedules.create(Schedule(store.new_id(), 0, "study.ipynb", "*/5 * * * *", "UTC", given, store.now()))
    answer = await ask("schedules", path="work/study.ipynb")
    [schedule] = answer.data["schedules"]
    assert (schedule["parameters"]["rate"], len(schedule["parameters"]["text"])) == (0.1, 1000)
    assert schedule["left_out"]["parameters"]["texts"] == {"text": 4_000_000}
