"""An index that is lost, cut off or older than the project is refused: it is not taken for that of a new project."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from keeping import add_result, add_run
from postgresql import Cluster

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import DamagedIndexError
from jupyter_mlops.operations.store.gc import collect_garbage
from jupyter_mlops.store import open_store
from jupyter_mlops.store.backup.guard import Guard
from jupyter_mlops.store.backup.mark import FILE, read_mark
from jupyter_mlops.store.db.sqlite import SqliteIndex
from jupyter_mlops.store.store import Store
from store.conftest import NOON


def finished(store: Store) -> Run:
    """A run that has come to its end, as durable as runs are."""
    made = add_run(store, status=Status.RUNNING)
    store.runs.finish(made.id, Status.COMPLETED, now=NOON)
    return made


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A closed project with three runs, a result, and a copy of its index after the first of them."""
    with open_store(tmp_path) as store:
        finished(store)
        store.index.checkpoint()  # type: ignore[attr-defined]
        shutil.copy(index_of(tmp_path), tmp_path / "older.db")
        add_result(store)
        finished(store)
    return tmp_path


def index_of(root: Path) -> Path:
    return root / ".mlops" / "index.db"


def cut(root: Path) -> None:
    os.truncate(index_of(root), index_of(root).stat().st_size // 2)


def other(root: Path) -> None:
    elsewhere = root / "elsewhere"
    (elsewhere / ".mlops").mkdir(parents=True)
    with open_store(elsewhere) as store:
        for _ in range(5):
            finished(store)
    shutil.copy(index_of(elsewhere), index_of(root))


def without_tables(root: Path) -> None:
    index_of(root).unlink()
    with closing(sqlite3.connect(index_of(root))) as connection:
        connection.execute("pragma journal_mode=wal")


LOSSES: dict[str, tuple[Callable[[Path], object], str]] = {
    "emptied": (lambda root: os.truncate(index_of(root), 0), "is empty"),
    "missing": (lambda root: index_of(root).unlink(), "is missing"),
    "cut off": (cut, "is truncated"),
    "an older copy": (lambda root: shutil.copy(root / "older.db", index_of(root)), "is older"),
    "another project's": (other, "not the one that belongs to this project"),
    "without tables": (without_tables, "no tables"),
}


@pytest.mark.parametrize(("lose", "what"), LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("create", [True, False], ids=["to write", "to read"])
def test_an_index_that_is_not_what_it_was_is_refused_and_told_with_what_can_be_done(
    project: Path, lose: Callable[[Path], object], what: str, create: bool
) -> None:
    lose(project)
    before = index_of(project).read_bytes() if index_of(project).exists() else None
    for _ in range(2):
        with pytest.raises(DamagedIndexError, match=what) as caught:
            open_store(project, create=create)
        assert "store recover" in caught.value.hint
        assert f"To start over, delete '{project / '.mlops'}'" in caught.value.hint
    assert (index_of(project).read_bytes() if index_of(project).exists() else None) == before, "it is left as it was"


@pytest.mark.parametrize("trace", ["objects", "journals", "index.db-wal"])
def test_an_empty_index_of_an_earlier_build_is_refused_for_what_else_is_there(project: Path, trace: str) -> None:
    (project / ".mlops" / FILE).unlink()
    if trace != "objects":
        shutil.rmtree(project / ".mlops" / "objects")
    if trace == "journals":
        (project / ".mlops" / "journals").mkdir(exist_ok=True)
        (project / ".mlops" / "journals" / "abc.jsonl").touch()
    if trace == "index.db-wal":
        (project / ".mlops" / "index.db-wal").write_bytes(b"frames")
    os.truncate(index_of(project), 0)
    with pytest.raises(DamagedIndexError, match="is empty"):
        open_store(project)
    assert trace != "index.db-wal" or (project / ".mlops" / "index.db-wal").read_bytes() == b"frames"


def test_a_project_whose_folder_is_deleted_begins_anew(project: Path) -> None:
    shutil.rmtree(project / ".mlops")
    with open_store(project) as store:
        assert add_run(store).number == 1


def test_a_log_that_was_taken_away_with_commits_in_it_is_noticed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        finished(store)
        store.index.checkpoint()  # type: ignore[attr-defined]
        before = index_of(tmp_path).read_bytes()
        finished(store)
    index_of(tmp_path).write_bytes(before)
    with pytest.raises(DamagedIndexError, match="is older"):
        open_store(tmp_path)


def test_a_store_of_an_earlier_build_is_known_from_its_first_opening_on(project: Path) -> None:
    (project / ".mlops" / FILE).unlink()
    with closing(sqlite3.connect(index_of(project))) as connection:
        connection.execute("pragma application_id = 0")
    open_store(project).close()
    mark = read_mark(project / ".mlops")
    assert mark is not None
    assert mark.id
    assert mark.runs == 3
    index_of(project).unlink()
    with pytest.raises(DamagedIndexError, match="is missing"):
        open_store(project)


def test_what_a_power_cut_may_take_back_is_not_held_against_the_index(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        finished(store)
        store.index.checkpoint()  # type: ignore[attr-defined]
        durable = index_of(tmp_path).read_bytes()
        add_run(store)  # not yet proof against a power cut
    for path in (tmp_path / ".mlops").glob("index.db*"):
        path.unlink()
    index_of(tmp_path).write_bytes(durable)
    with open_store(tmp_path) as store:
        assert [run.number for run in store.runs.list()] == [1]


def test_a_run_that_is_removed_leaves_an_index_that_is_not_taken_for_an_older_one(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        finished(store)
        last = finished(store)
        store.runs.remove(last.id)
    with open_store(tmp_path) as store:
        assert finished(store).number == 2
    open_store(tmp_path).close()


def test_a_mark_that_cannot_be_read_is_made_again(project: Path) -> None:
    (project / ".mlops" / FILE).write_text("{")
    open_store(project).close()
    assert read_mark(project / ".mlops") is not None


def test_opening_an_index_that_is_known_writes_nothing_and_takes_no_lock(project: Path) -> None:
    (project / ".mlops" / "index.lock").unlink()
    before = (project / ".mlops" / FILE).stat()
    open_store(project).close()
    assert not (project / ".mlops" / "index.lock").exists()
    after = (project / ".mlops" / FILE).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_gc_removes_nothing_of_a_project_whose_index_is_lost(project: Path) -> None:
    objects = sorted((project / ".mlops" / "objects").rglob("*"))
    os.truncate(index_of(project), 0)
    with pytest.raises(DamagedIndexError), open_store(project, create=False) as store:
        collect_garbage(store, now=store.now())
    assert sorted((project / ".mlops" / "objects").rglob("*")) == objects


@pytest.fixture
def shared(tmp_path: Path, postgresql: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("MLOPS_STORE", postgresql.emptied())
    with open_store(tmp_path) as store:
        finished(store)
    return postgresql


def test_an_index_that_another_process_adds_to_while_it_is_opened_is_not_taken_for_an_older_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = SqliteIndex._first

    def ask_and_wait(index: SqliteIndex, *question: Any) -> Any:
        monkeypatch.setattr(SqliteIndex, "_first", asked)
        found = asked(index, *question)
        with open_store(project) as other:
            finished(other)
        return found

    monkeypatch.setattr(SqliteIndex, "_first", ask_and_wait)
    with open_store(project) as store:
        assert [run.number for run in store.runs.list()] == [4, 3, 2, 1]


def test_an_index_in_postgresql_that_was_dropped_is_not_made_anew(shared: Cluster, tmp_path: Path) -> None:
    mark = read_mark(tmp_path / ".mlops")
    assert mark is not None
    project = mark.place.rpartition(" ")[2]
    shared.sql(f'drop schema "{project}" cascade')
    with pytest.raises(DamagedIndexError, match="is missing, but this project had one") as caught:
        open_store(tmp_path)
    assert "server's own backups" in caught.value.hint


def test_where_an_index_in_postgresql_is_no_longer_said_no_new_one_is_made_here(
    shared: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".mlops" / "store.json").unlink()
    url = os.environ["MLOPS_STORE"]
    monkeypatch.delenv("MLOPS_STORE")
    with pytest.raises(DamagedIndexError, match=r"is in postgresql.*store\.json', which said so, is missing") as caught:
        open_store(tmp_path)
    assert not index_of(tmp_path).exists()
    assert "MLOPS_STORE" in caught.value.hint
    monkeypatch.setenv("MLOPS_STORE", url)  # what the hint says
    with open_store(tmp_path) as store:
        assert [run.number for run in store.runs.list()] == [1]


def test_looking_at_the_size_of_an_index_takes_no_lock_from_those_who_have_it_open(tmp_path: Path) -> None:
    elsewhere = "\n".join(
        (
            "import sys",
            "from jupyter_mlops.store import open_store",
            "with open_store(sys.argv[1]) as store: print(len(store.runs.list()))",
        )
    )

    def counted() -> int:
        command = [sys.executable, "-c", elsewhere, str(tmp_path)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    with open_store(tmp_path) as store:
        finished(store)
        Guard(index_of(tmp_path)).require_file()
        assert counted() == 1, "that process is not the last to close the index, and must not remove its log"
        finished(store)
        assert counted() == 2
