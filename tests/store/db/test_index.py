"""The index as a file: made, opened, found corrupt or newer, and told apart from other databases."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import DamagedIndexError, IndexVersionError, NotWritableError, StoreError
from jupyter_mlops.store import open_store
from jupyter_mlops.store.db.schema import HEAD, runs
from jupyter_mlops.store.db.sqlite import SqliteIndex
from jupyter_mlops.store.store import Store, open_index
from store.conftest import NOON

on_sqlite = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


def index_of(root: Path) -> Path:
    return root / ".mlops" / "index.db"


def filled_project(root: Path) -> str:
    """A closed project with one object; returns its name."""
    with open_store(root) as store:
        return store.objects.put(b"kept")


@pytest.mark.parametrize(
    "damage",
    [b"this is no database at all, and long enough to be taken for one " * 20, b"SQLite format 3\0" + b"\xff" * 4000],
    ids=["text", "broken header"],
)
def test_a_corrupt_index_is_told_with_the_mend_and_the_objects_stay(tmp_path: Path, damage: bytes) -> None:
    name = filled_project(tmp_path)
    index_of(tmp_path).write_bytes(damage)
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path)
    assert type(caught.value) is DamagedIndexError
    assert str(index_of(tmp_path)) in caught.value.message
    assert "store recover" in caught.value.hint
    assert "aside" not in caught.value.hint, "that would throw the history away"
    assert index_of(tmp_path).read_bytes() == damage, "nothing is thrown away"
    assert (tmp_path / ".mlops" / "objects" / name[:2] / name[2:]).read_bytes() == b"kept"


def test_pages_damaged_while_the_index_is_open_are_told(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        with store.index.engine.connect() as connection:
            connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
        store.index.close()
        size = index_of(tmp_path).stat().st_size
        with open(index_of(tmp_path), "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        with pytest.raises(StoreError, match=r"index\.db"):
            store.runs.list()


def test_an_empty_file_becomes_an_index(tmp_path: Path) -> None:
    (tmp_path / ".mlops").mkdir()
    index_of(tmp_path).touch()
    with open_store(tmp_path) as store:
        assert store.runs.list() == []


def test_an_index_of_a_newer_version_is_told_and_left_alone(tmp_path: Path) -> None:
    filled_project(tmp_path)
    with sqlite3.connect(index_of(tmp_path)) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()
    with pytest.raises(IndexVersionError, match="9999") as caught:
        open_store(tmp_path)
    assert "upgrade" in caught.value.hint
    with sqlite3.connect(index_of(tmp_path)) as connection:
        assert connection.execute("select version_num from alembic_version").fetchall() == [("9999",)]
    connection.close()


def test_a_database_of_someone_else_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".mlops").mkdir()
    with sqlite3.connect(index_of(tmp_path)) as connection:
        connection.execute("create table pets (name text)")
    connection.close()
    with pytest.raises(StoreError, match="not an index of jupyter-mlops"):
        open_store(tmp_path)
    with sqlite3.connect(index_of(tmp_path)) as connection:
        assert connection.execute("select name from sqlite_master").fetchall() == [("pets",)]
    connection.close()


def test_a_folder_in_place_of_the_index_is_told(tmp_path: Path) -> None:
    index_of(tmp_path).mkdir(parents=True)
    with pytest.raises(NotWritableError, match=r"index\.db"):
        open_store(tmp_path)


def test_a_transaction_that_fails_leaves_nothing(store: Store, add_run: Callable[..., Run]) -> None:
    run = add_run()
    with contextlib.suppress(ZeroDivisionError), store.index.write() as connection:
        connection.execute(runs.update().values(kind="other"))
        raise ZeroDivisionError
    assert store.runs.get(run.id).kind == "job"


@on_sqlite
def test_the_end_of_a_run_waits_for_the_disk_and_nothing_after_it_does(
    store: Store, add_run: Callable[..., Run]
) -> None:
    run = add_run(status=Status.RUNNING)
    seen: list[int] = []

    def note(connection: sa.Connection) -> None:
        seen.append(connection.exec_driver_sql("pragma synchronous").scalar_one())

    sa.event.listen(store.index.engine, "commit", note)
    store.runs.finish(run.id, Status.COMPLETED, now=NOON)
    store.runs.update(run.id, kind="session")
    assert seen == [2, 1], "full, then normal again"


def test_a_reader_is_not_blocked_by_a_writer(store: Store, add_run: Callable[..., Run]) -> None:
    run = add_run()
    other = open_index(store.place, store.folder)
    with store.index.write() as connection:
        connection.execute(runs.update().values(kind="session"))
        with other.read() as reading:
            assert reading.execute(sa.select(runs.c.kind)).scalars().all() == ["job"]
    assert store.runs.get(run.id).kind == "session"
    other.close()


def test_the_change_token_differs_after_each_commit_and_only_then(store: Store, add_run: Callable[..., Run]) -> None:
    seen = [store.index.change_token()]
    for _ in range(3):
        add_run()
        store.runs.list()
        seen.append(store.index.change_token())
    assert len(set(seen)) == 4
    assert store.index.change_token() == seen[-1]


@on_sqlite
def test_a_commit_shows_in_the_change_token_although_the_files_times_and_sizes_do_not_tell(
    store: Store, add_run: Callable[..., Run]
) -> None:
    """As where the token was taken while a commit was on its way to the disk, and not to be seen yet."""
    for _ in range(3):
        add_run()
    with store.index.engine.connect() as connection:
        connection.exec_driver_sql("pragma wal_checkpoint(restart)")
    assert isinstance(store.index, SqliteIndex)
    files = [store.index.path, store.index.path.with_name("index.db-wal")]
    before, times = store.index.change_token(), [file.stat() for file in files]
    add_run()
    for file, seen in zip(files, times, strict=True):
        assert file.stat().st_size == seen.st_size
        os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert store.index.change_token() != before


@on_sqlite
def test_the_change_token_of_a_folder_without_an_index_is_empty(store: Store) -> None:
    store.close()
    assert isinstance(store.index, SqliteIndex)
    store.index.path.unlink()
    assert store.index.change_token() == ""


def test_foreign_keys_are_held(store: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError), store.index.write() as connection:
        connection.exec_driver_sql(
            "insert into fires (schedule_id, fire_at, status, note, created_at) values ('none', 'x', 'x', '', 'x')"
        )


def test_a_new_index_stands_at_the_newest_revision(store: Store) -> None:
    with store.index.read() as connection:
        assert connection.exec_driver_sql("select version_num from alembic_version").scalars().all() == [HEAD]
