"""`store move`: everything arrives, proven; killed at any moment the store is whole in one place; back again."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from dying import move_and_die
from keeping import NOW, add_result, add_run, contents, fill, put
from postgresql import GUARDED, PASSWORD, Cluster
from s3server import S3Server

from jupyter_mlops.domain.schedule import Schedule, Timing
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.errors import InputError, StoreError
from jupyter_mlops.operations.store.backups import backups, drop_backups
from jupyter_mlops.operations.store.moving import move_store
from jupyter_mlops.operations.store.verify import verify_store
from jupyter_mlops.store import open_store
from jupyter_mlops.store.db.postgresql import PostgresqlIndex
from jupyter_mlops.store.db.sqlite import SqliteIndex
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.objects.remote import RemoteObjects


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An embedded store with runs, results, a schedule and a message to MLflow."""
    root = tmp_path / "churn"
    root.mkdir()
    with open_store(root) as store:
        fill(store)
        add_result(store, "odd", error="a NUL \0 within", metrics={"loss": float("nan"), "best": float("inf")})
        put(store, os.urandom(3 << 20))
        store.schedules.create(Schedule("s", 0, "nb.ipynb", Timing("0 2 * * *"), {"n": 1}, NOW))
        store.outbox.set_tracked_id("run", "sqlite:///x", "mlflow run")
    return root


def everything(root: Path) -> tuple[Any, ...]:
    """All that a store tells, except NUL, which PostgreSQL cannot keep."""
    with open_store(root) as store:
        runs, steps, objects = contents(store)
        told = repr((runs, steps, store.schedules.list(), store.outbox.take(), store.steps.versions("train")))
        return (
            told.replace("\\x00", "\N{REPLACEMENT CHARACTER}"),
            objects,
            store.outbox.tracked_id("run", "sqlite:///x"),
        )


def test_a_store_goes_into_postgresql_and_s3_and_comes_back_whole(
    project: Path, postgresql: Cluster, s3: S3Server
) -> None:
    before = everything(project)
    url, bucket = postgresql.url(), s3.new_bucket()
    moved = move_store(project, [url, bucket])
    assert moved.rows["runs"] == 3
    assert moved.objects == len(before[1])
    assert everything(project) == before
    with open_store(project) as store:
        assert isinstance(store.index, PostgresqlIndex)
        assert isinstance(store.objects, RemoteObjects)
        assert verify_store(store, now=NOW).is_sound
        assert add_run(store).number == 4, "numbers go on"
        store.outbox.post("r", "run", {}, now=NOW)
    after = everything(project)
    back = move_store(project, ["embedded"])
    assert back.rows["runs"] == 4
    assert everything(project) == after
    with open_store(project) as store:
        assert isinstance(store.index, SqliteIndex)
        assert verify_store(store, now=NOW).is_sound
    assert len(backups(project / ".mlops")) == 3
    drop_backups(project / ".mlops")
    assert s3.keys(bucket) == []
    assert postgresql.sql(f"select count(*) from pg_namespace where nspname = '{url.rpartition('=')[2]}'") == "0"
    assert everything(project) == after


def test_the_old_index_stays_until_told(project: Path, postgresql: Cluster) -> None:
    moved = move_store(project, [postgresql.url()])
    assert moved.backup == ("index.db.backup1",)
    assert (project / ".mlops" / "index.db.backup1").exists()
    assert not (project / ".mlops" / "index.db").exists()
    drop_backups(project / ".mlops")
    assert list((project / ".mlops").glob("index.db*")) == []
    with open_store(project) as store:
        assert len(store.runs.list()) == 3


def test_a_moved_project_needs_no_environment_and_its_file_holds_no_password(
    project: Path, postgresql: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = postgresql.url(user=GUARDED)
    url = plain.replace(
        f"{GUARDED}@", f"{GUARDED}:{PASSWORD.replace('/', '%2F').replace('@', '%40').replace(' ', '%20')}@"
    )
    with pytest.raises(InputError, match="not written") as caught:
        move_store(project, [url])
    assert f"{postgresql.folder}:5432:mlops:{GUARDED}" in caught.value.hint
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    move_store(project, [url])
    told = (project / ".mlops" / "store.json").read_text()
    assert json.loads(told)["index"].startswith(f"postgresql+psycopg://{GUARDED}@")
    assert PASSWORD not in told
    with open_store(project) as store:
        assert len(store.runs.list()) == 3


@pytest.mark.parametrize("what", ["run", "kernel", "worker", "scheduler"])
def test_nothing_is_moved_while_something_is_at_work(project: Path, postgresql: Cluster, what: str) -> None:
    pid, started = processes.this_process()
    with open_store(project) as store:
        if what in ("run", "kernel"):
            kind = "session" if what == "kernel" else "job"
            add_run(store, kind=kind, status=Status.RUNNING, pid=pid, pid_started=started)
        elif what == "worker":
            store.queue.enter(Worker("w", processes.this_host(), pid, started, 1, store.now(), store.now()))
        else:
            from jupyter_mlops.domain.schedule import Heartbeat

            store.schedules.beat(Heartbeat("h", "elsewhere", pid, started, store.now(), store.now()))
    with pytest.raises(StoreError, match=what):
        move_store(project, [postgresql.url()])
    assert (project / ".mlops" / "index.db").exists()
    assert not (project / ".mlops" / "store.json").exists()


def test_who_had_the_old_index_open_is_told_and_writes_nothing_there(project: Path, postgresql: Cluster) -> None:
    with open_store(project) as open_before:
        move_store(project, [postgresql.url()])
        with pytest.raises(StoreError, match="moved away"):
            add_run(open_before)
    with open_store(project) as open_before:
        move_store(project, ["embedded"])
        with pytest.raises(StoreError, match="moved away"):
            add_run(open_before)
    with open_store(project) as store:
        assert len(store.runs.list()) == 3


def test_a_place_that_holds_another_projects_runs_is_refused(
    project: Path, tmp_path: Path, postgresql: Cluster
) -> None:
    url = postgresql.url()
    other = tmp_path / "other"
    other.mkdir()
    with open_store(other) as store:
        add_run(store)
    move_store(other, [url])
    with pytest.raises(StoreError, match="another project") as caught:
        move_store(project, [url])
    assert "?project=" in caught.value.hint
    with open_store(project) as store:
        assert isinstance(store.index, SqliteIndex)


def test_there_and_back_and_there_again_needs_no_cleaning(project: Path, postgresql: Cluster) -> None:
    before, url = everything(project), postgresql.url()
    for target in (url, "embedded", url):
        move_store(project, [target])
        assert everything(project) == before
    with pytest.raises(InputError, match="already there"):
        move_store(project, [url])


def test_damaged_objects_stay_behind_and_are_told(project: Path, s3: S3Server) -> None:
    with open_store(project) as store:
        name = next(iter(store.objects.names()))
        store.objects.path(name).write_bytes(b"other")
    moved = move_store(project, [s3.new_bucket()])
    assert "1 damaged" in moved.notes[0]
    with open_store(project) as store:
        assert not store.objects.is_kept(name)


FORTH = (
    ("_bring", "after", 2),
    ("copy_rows", "before", 1),
    ("_fingerprint", "after", 3),
    ("copy_rows", "after", 1),
    ("_take_over", "before", 1),
    ("write_place", "before", 1),
    ("write_place", "after", 1),
)
BACK = (("_to_file", "before", 1), ("copy_rows", "after", 1), ("_to_file", "after", 1), ("write_place", "after", 1))


@pytest.mark.slow
def test_a_move_killed_at_any_moment_loses_nothing_and_is_finished_by_the_next(
    project: Path, tmp_path: Path, postgresql: Cluster
) -> None:
    before = everything(project)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sqlalchemy.dialects.postgresql", "psycopg", "fsspec.core", "dying"])
    for targets, moments in (([postgresql.url(), (tmp_path / "shared").as_uri()], FORTH), (["embedded"], BACK)):
        for moment in moments:
            dying = context.Process(target=move_and_die, args=(str(project), targets, *moment))
            dying.start()
            dying.join(60)
            assert dying.exitcode == -signal.SIGKILL, moment
            assert everything(project) == before, moment
        with contextlib.suppress(InputError):  # all was done but tidying up
            move_store(project, targets)
        assert everything(project) == before
    with open_store(project) as store:
        assert isinstance(store.index, SqliteIndex)
        assert not isinstance(store.objects, RemoteObjects)
        assert verify_store(store, now=NOW).is_sound
