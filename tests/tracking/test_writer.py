"""The writer process itself: one at a time, never in the way, ends by itself, and loses nothing when it is killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression
from tracked_project import PATIENCE, TrackedProject

from jupyter_mlops import tracking
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.store.backup.rolling import backups_of
from jupyter_mlops.store.files.processes import is_alive
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.outbox import Message
from jupyter_mlops.tracking import drain, log_path, wake, writer
from jupyter_mlops.tracking.delivery import Delivery

WORK = (
    "import sys; from pathlib import Path; from jupyter_mlops.tracking.writer import work; work(Path(sys.argv[1]), {})"
)
PACKAGE = Path(tracking.__file__).parents[2]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PACKAGE)}


def fill(project: TrackedProject, runs: int, steps: int) -> list[Run | StepRun]:
    """Runs with steps and a model each, all ended."""
    made: list[Run | StepRun] = []
    for _ in range(runs):
        run = project.run(parameters={"a": 1})
        made += [project.step(run, f"step{number}", metrics={"m": number}) for number in range(steps)]
        last = made[-1]
        assert isinstance(last, StepRun)
        project.model(last, "model", LogisticRegression().fit([[0.0], [1.0]], [0, 1]))
        made.append(project.finish(run))
    return made


def test_a_writer_killed_again_and_again_makes_nothing_twice_and_loses_nothing(other_project: TrackedProject) -> None:
    project = other_project
    made = fill(project, runs=2, steps=5)
    for share in (0, 1, 4, 8):  # how far a writer comes before it is killed, in sixteenths of what is due
        made += fill(project, runs=1, steps=5)  # however quick the one before was, this one has something to do
        size = project.store.outbox.size()
        left = size - 1 - size * share // 16
        end = time.monotonic() + PATIENCE
        while project.store.outbox.size() > left:
            wake(project.root)  # again and again: the lock of a killed process is held until its last thread is gone
            assert time.monotonic() < end
            time.sleep(0.002)
        project.stop_writers(signal.SIGKILL)
    made += fill(project, runs=1, steps=5)
    project.deliver()

    assert len(set(project.writers())) >= 5
    for entity in made:
        found = project.mlflow_run(entity)  # fails where there are two, or none
        assert found.info.status == "FINISHED"
        models = [output.model_id for output in found.outputs.model_outputs] if found.outputs else []
        assert len(models) == (1 if isinstance(entity, Run) or entity.step == "step4" else 0)
    experiments = [experiment.experiment_id for experiment in project.client.search_experiments()]
    assert len(project.client.search_runs(experiments)) == len(made)
    assert len(project.client.search_logged_models(experiments)) == 7


def test_a_run_that_was_made_but_not_noted_is_found_again(project: TrackedProject) -> None:
    from jupyter_mlops.tracking.identities import UNKNOWN, Identities
    from jupyter_mlops.tracking.uri import own_uri

    run = project.run()
    project.deliver()
    known = project.mlflow_run(run).info.run_id
    project.store.outbox.set_tracked_id(run.id, own_uri(project.root), UNKNOWN)
    assert Identities(project.store, own_uri(project.root)).run(run) == known


def test_two_wakes_at_once_give_one_writer(other_project: TrackedProject) -> None:
    project = other_project
    project.run()
    code = "import sys; from pathlib import Path; from jupyter_mlops.tracking import wake; wake(Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(project.root)]
    callers = [subprocess.Popen(command, env=environment()) for _ in range(4)]
    threads = [threading.Thread(target=wake, args=(project.root,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for caller in callers:
        assert caller.wait(PATIENCE) == 0
    project.deliver()
    time.sleep(1.0)
    assert len(project.writers()) == 1


def test_a_wake_keeps_neither_a_terminal_nor_a_pipe_nor_a_zombie(other_project: TrackedProject) -> None:
    project = other_project
    project.run()
    code = (
        "import sys, time; from pathlib import Path; from jupyter_mlops.tracking import wake;"
        "start = time.perf_counter(); wake(Path(sys.argv[1])); print(time.perf_counter() - start)"
    )
    command = [sys.executable, "-c", code, str(project.root)]
    # The pipe of the output is read to its end: a writer that held it would keep this waiting while it lingers.
    began = time.monotonic()
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert time.monotonic() - began < 8
    assert float(done.stdout) < 0.1
    assert done.stderr == ""
    project.deliver()
    (pid,) = project.writers()
    assert os.getsid(pid) != os.getsid(0)


def test_a_writer_ends_by_itself_and_a_second_one_goes_at_once(other_project: TrackedProject) -> None:
    project = other_project
    run = project.run()
    command = [sys.executable, "-c", WORK.format(1.0), str(project.root)]
    first = subprocess.Popen(command, env=environment())
    end = time.monotonic() + PATIENCE
    while project.store.outbox.size():
        assert time.monotonic() < end
        time.sleep(0.02)
    began = time.monotonic()
    assert subprocess.run(command, env=environment(), check=True).returncode == 0
    assert first.poll() is None or time.monotonic() - began < 5
    assert first.wait(PATIENCE) == 0
    assert project.mlflow_run(run).info.status == "RUNNING"


def test_a_message_posted_while_the_writer_is_ending_is_delivered(
    other_project: TrackedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last moment: it has looked for the last time, and still holds the lock, so a wake starts no other."""
    project = other_project
    posted = [project.run()]
    deliver = writer._deliver_until_quiet

    def deliver_then_post(root: Path, linger: float) -> int:
        newest = deliver(root, linger)
        if len(posted) == 1:
            posted.append(project.run())
            wake(root)
        return newest

    monkeypatch.setattr(writer, "_deliver_until_quiet", deliver_then_post)
    writer.work(project.root, linger=0.0)
    assert project.store.outbox.size() == 0
    assert len(posted) == 2
    assert project.mlflow_run(posted[1]).info.status == "RUNNING"
    assert set(project.writers()) == set()


def test_waking_a_writer_that_is_at_work_is_cheap(project: TrackedProject) -> None:
    project.run()
    project.deliver()
    tracking._started.clear()
    times = []
    for _ in range(50):
        start = time.perf_counter()
        wake(project.root)
        times.append(time.perf_counter() - start)
    assert sorted(times)[25] < 0.005


def test_the_writer_gets_the_callers_environment(
    other_project: TrackedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = other_project
    uri = f"sqlite:///{project.root}/chosen.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    run = project.run()
    project.deliver()
    assert project.mlflow_run(run, uri).info.run_name == f"churn #{run.number}"
    assert not (project.root / ".mlops" / "mlflow.db").exists()
    assert all(is_alive(pid, None) for pid in project.writers())


def test_a_wake_for_later_starts_no_writer_and_what_waits_is_delivered_when_asked(
    other_project: TrackedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_TRACKING", "later")
    other_project.run()
    wake(other_project.root)
    assert not log_path(other_project.root).exists()
    assert drain(other_project.store, 90.0)
    assert not other_project.store.outbox.size()


def test_a_run_that_waits_is_not_told_and_one_that_goes_on_is_told_a_second_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, told = TrackedProject(tmp_path), []
    store = project.store
    monkeypatch.setattr(Delivery, "_tell", lambda self, message, run, address, *, whole: told.append(message.run_id))
    now = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    monkeypatch.setattr(Store, "now", lambda self: now)
    waiting, going_on = project.run(start=False), project.run()
    delivery = Delivery(store)

    assert not delivery.round(0.0)
    assert {message.run_id for message in store.outbox.take()} == {going_on.id}, "its beginning will be told"
    assert not delivery.due(0.0)
    assert delivery.due(0.5)
    assert not delivery.round(0.5)

    now += timedelta(seconds=0.5)
    short = project.run()
    store.runs.finish(short.id, Status.COMPLETED, now=now)
    assert delivery.round(0.5)
    assert told == [short.id], "what has ended is told at once, and once"

    now += timedelta(seconds=0.5)
    assert delivery.round(1.0)
    assert told == [short.id, going_on.id]
    assert store.runs.start(waiting.id, now=now - timedelta(seconds=2))
    assert delivery.round(1.5)
    assert told[2:] == [waiting.id]
    assert not store.outbox.size()
    project.close()


def test_what_was_told_is_forgotten_together_also_where_the_writer_is_stopped_midway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = TrackedProject(tmp_path)
    store, told, forgotten = project.store, [], []
    runs = [project.run() for _ in range(4)]
    for run in runs:
        store.runs.finish(run.id, Status.COMPLETED, now=store.now())

    def tell(_self: Delivery, message: Message, _run: Run, _address: str, *, whole: bool) -> None:
        if len(told) == 3:
            raise KeyboardInterrupt
        told.append(message.run_id)

    done = store.outbox.done
    monkeypatch.setattr(Delivery, "_tell", tell)
    monkeypatch.setattr(store.outbox, "done", lambda ids: (forgotten.append(ids), done(ids)))
    delivery = Delivery(store)
    delivery._forgot = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        delivery.round(0.0)
    assert told == [run.id for run in runs[:3]]
    assert len(forgotten) == 1
    assert {message.run_id for message in store.outbox.take()} == {runs[3].id}
    project.close()


def test_the_index_is_backed_up_behind_what_was_told(other_project: TrackedProject) -> None:
    project = other_project
    fill(project, 2, 1)
    writer.work(project.root, 0.1)
    (backup,) = backups_of(project.store.folder)
    with closing(sqlite3.connect(backup.path)) as connection:
        assert connection.execute("select count(*) from runs").fetchone() == (2,)
    fill(project, 1, 1)
    writer.work(project.root, 0.1)
    assert backups_of(project.store.folder) == [backup], "at most every ten minutes"


def test_a_new_writer_lets_runs_that_need_all_processors_go_first(other_project: TrackedProject) -> None:
    store, looks, time_of_looks = other_project.store, [True, True, False], iter(range(100))
    writer.wait_for_leisure(store, lambda: pytest.fail("no run is at work"))
    run = other_project.run()
    assert store.runs.at_work()
    writer.wait_for_leisure(store, lambda: looks.pop(0))
    assert looks == []
    asked: list[bool] = []
    writer.wait_for_leisure(store, lambda: not asked.append(True), lambda: float(next(time_of_looks)))  # type: ignore[func-returns-value]
    assert len(asked) == writer.LEISURE_SECONDS - 1
    looks = [True] * 5

    def last_look() -> bool:
        if len(looks) == 1:
            other_project.finish(run)
        return looks.pop()

    writer.wait_for_leisure(store, last_look)
    assert looks == []
