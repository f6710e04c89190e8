from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.server.framework import projects as projects_module
from jupyter_mlops.server.framework.events import CHANGED, SCHEMA, ProjectsWatch
from jupyter_mlops.server.framework.projects import Projects
from jupyter_mlops.store import open_store
from jupyter_mlops.store.store import Store
from server.conftest import Ask


@asynccontextmanager
async def listening(jp_ws_fetch: Callable[..., Any]) -> AsyncIterator[Callable[[float], Any]]:
    """`await next_event(seconds)` is the next of our events, or None where none came."""
    socket = await jp_ws_fetch("api", "events", "subscribe")
    pending: list[Any] = []

    async def next_event(seconds: float) -> Any:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not pending:
                pending.append(asyncio.ensure_future(socket.read_message()))
            done, _ = await asyncio.wait(pending, timeout=left)
            if done:
                event = json.loads(pending.pop().result())
                if event["schema_id"] == CHANGED:
                    return {"project": event["project"], "token": event["token"]}
        return None

    try:
        yield next_event
    finally:
        socket.close()
        await asyncio.gather(*pending, return_exceptions=True)


async def test_an_event_follows_a_change_that_another_process_makes(
    ask: Ask, jp_ws_fetch: Callable[..., Any], add_run: Callable[..., Run]
) -> None:
    add_run()
    async with listening(jp_ws_fetch) as next_event:
        assert (await ask("runs", path="work/study.ipynb")).status == 200
        assert await next_event(1.2) is None
        add_run()
        first = await next_event(3)
        assert first["project"] == "work"
        add_run()
        second = await next_event(3)
        assert second["project"] == "work"
        assert second["token"] != first["token"]


async def test_asking_again_and_again_makes_no_event(
    ask: Ask, jp_ws_fetch: Callable[..., Any], add_run: Callable[..., Run]
) -> None:
    add_run()
    async with listening(jp_ws_fetch) as next_event:
        for _ in range(4):
            await asyncio.gather(*(ask("runs", path="work/study.ipynb") for _ in range(4)))
            assert await next_event(0.6) is None


async def test_a_project_that_comes_into_being_is_told_of(
    ask: Ask, jp_ws_fetch: Callable[..., Any], notebook: Path
) -> None:
    async with listening(jp_ws_fetch) as next_event:
        assert (await ask("runs", path="work/study.ipynb")).data["runs"] == []
        with open_store(notebook) as store:
            store.runs.create(Run("1" * 32, 0, "job", "study.ipynb", Status.PENDING, created_at=store.now()))
            assert (await next_event(3))["project"] == "work"
        assert len((await ask("runs", path="work/study.ipynb")).data["runs"]) == 1


async def test_a_run_whose_process_is_gone_is_lost_and_told_of(
    ask: Ask,
    jp_ws_fetch: Callable[..., Any],
    add_run: Callable[..., Run],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Path] = []
    monkeypatch.setattr("jupyter_mlops.tracking.wake", told.append)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    add_run(status=Status.RUNNING, pid=gone.pid, pid_started=0.0)
    async with listening(jp_ws_fetch) as next_event:
        assert (await ask("runs", path="work/study.ipynb")).data["runs"][0]["status"] == "running"
        assert await next_event(3) is not None
        run = (await ask("runs", path="work/study.ipynb")).data["runs"][0]
    assert run["status"] == "lost"
    assert run["error"]["cause"] == "runner_lost"
    assert told == [store.root]


async def test_the_loop_ends_with_the_server(ask: Ask, jp_serverapp: Any, add_run: Callable[..., Run]) -> None:
    add_run()
    await ask("runs", path="work/study.ipynb")
    app = jp_serverapp.web_app.settings["jupyter_mlops"]
    assert app.projects.watched
    await app.stop_extension()
    assert not app.projects.watched
    app.watch.wake()
    assert app.watch._task is None


def test_the_event_names_no_person_and_nothing_but_what_changed() -> None:
    assert set(SCHEMA["properties"]) == set(SCHEMA["required"]) == {"project", "token"}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def projects(jp_root_dir: Path, clock: Clock) -> Any:
    from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

    projects = Projects(AsyncLargeFileManager(root_dir=str(jp_root_dir)), clock)
    yield projects
    projects.shut_down()


def test_a_project_no_one_asks_for_is_forgotten_and_its_store_closed(
    projects: Projects, clock: Clock, add_run: Callable[..., Run]
) -> None:
    add_run()
    place = projects.place("work/study.ipynb")
    clock.now = 599
    projects.place("work/study.ipynb")
    clock.now = 1100
    assert projects.changes() == []
    assert projects.watched
    clock.now = 1200
    add_run()
    assert projects.changes() == []
    assert not projects.watched
    assert projects.place("work/study.ipynb").store is not place.store


def test_a_store_is_opened_once_and_anew_when_the_project_was_made_anew(
    projects: Projects, store: Store, notebook: Path
) -> None:
    import shutil

    first = projects.place("work").store
    assert first is not None
    assert projects.place("work/study.ipynb").store is first
    shutil.rmtree(store.folder)
    assert projects.place("work").store is None
    open_store(notebook).close()
    anew = projects.place("work").store
    assert anew is not None
    assert anew is not first
    assert anew.runs.list() == []


def test_a_project_that_cannot_be_read_holds_up_no_other(
    projects: Projects, add_run: Callable[..., Run], jp_root_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    projects.place("work/study.ipynb")
    broken = jp_root_dir / "broken"
    (broken / ".mlops").mkdir(parents=True)
    projects.place("broken")
    (broken / ".mlops" / "index.db").write_bytes(b"no database at all" * 100)
    add_run()
    assert {project.name for project, _ in projects.changes()} == {"work", "broken"}
    assert projects.changes() == []
    projects.reconcile()
    projects.reconcile()
    assert sum("broken" in record.message for record in caplog.records) == 1


async def test_the_loop_goes_on_after_a_failure_and_stops_when_nothing_is_watched(
    projects: Projects, clock: Clock, add_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []

    def emit(data: dict[str, Any]) -> None:
        told.append(data)
        if len(told) == 1:
            raise RuntimeError("a listener's fault")

    watch = ProjectsWatch(projects, emit, interval=0.01)
    watch.wake()
    assert watch._task is None, "nothing was asked for yet"
    projects.place("work")
    watch.wake()
    task = watch._task
    watch.wake()
    assert task is not None
    assert watch._task is task
    for count in (1, 2):
        add_run()
        while len(told) < count:
            await asyncio.sleep(0.01)
    clock.now = projects_module.REMEMBERED + 1
    await asyncio.wait_for(task, 5)
    await watch.stop()
