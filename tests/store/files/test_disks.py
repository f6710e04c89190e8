"""A full disk is told as that, with a mend that loses nothing; what is stored is read on it, and on one that is locked."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from disks import KINDS, Disk, disk_of
from keeping import add_result, add_run

from jupyter_mlops.domain.run import Run, RunKind
from jupyter_mlops.domain.schedule import Schedule, Timing
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.errors import DamagedIndexError, FullDiskError, MLOpsError, NotWritableError, StoreError
from jupyter_mlops.operations.store.verify import verify_store
from jupyter_mlops.store.db.sqlite_errors import explained
from jupyter_mlops.store.files.disk import refused
from jupyter_mlops.store.store import Store
from store.conftest import NOON


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    yield from disk_of(request.param, tmp_path)


def told_of_room(error: MLOpsError) -> bool:
    return isinstance(error, FullDiskError) and "Free some disk space" in error.hint and "aside" not in error.hint


WRITES: dict[str, Callable[[Store, Run], object]] = {
    "asking for a run": lambda store, run: store.runs.create(replace(run, id=store.new_id())),
    "changing a run": lambda store, run: store.runs.update(run.id, parameters={"text": "x" * 50_000}),
    "starting a run": lambda store, run: store.runs.start(run.id, now=NOON, output_path="x" * 50_000),
    "ending a run": lambda store, run: store.runs.finish(run.id, Status.COMPLETED, now=NOON, tags={"a": "x" * 50_000}),
    "metrics": lambda store, run: store.runs.add_metrics(run.id, {f"m{n}": 1.0 for n in range(9000)}, now=NOON),
    "a worker": lambda store, run: store.queue.enter(Worker("w", "host" * 9000, 1, 1.0, 1, NOON, NOON)),
    "a schedule": lambda store, run: store.schedules.create(
        Schedule("s", 0, "nb.ipynb", Timing("0 2 * * *"), {"a": "x" * 50_000}, NOON)
    ),
    "a message to MLflow": lambda store, run: store.outbox.post(run.id, "model", {"a": "x" * 50_000}, now=NOON),
}


@pytest.mark.parametrize("what", WRITES)
def test_each_statement_that_meets_a_full_disk_says_so_and_leaves_the_rest_as_it_was(tmp_path: Path, what: str) -> None:
    with Store.open(tmp_path) as store:
        run = store.runs.create(Run("r1", 0, RunKind.JOB, "nb.ipynb", Status.PENDING, created_at=NOON))
        store.index.close()

        def limit(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("pragma max_page_count = 1")  # no page more than there are

        sa.event.listen(store.index.engine, "connect", limit)
        made = [run]
        until_full(lambda: made.append(add_run(store, notebook="x" * 3000)))
        before = store.runs.list()
        assert [each.id for each in before] == [each.id for each in reversed(made)]
        error = until_full(lambda: WRITES[what](store, run))
        assert told_of_room(error)
        assert [each.id for each in store.runs.list()][-len(made) :] == [each.id for each in before]
        assert store.index.integrity() == []


def until_full(write: Callable[[], object]) -> FullDiskError:
    """What is said where the disk takes no more; what fits into the pages that there are is no fault."""
    for _ in range(3000):
        try:
            write()
        except FullDiskError as error:
            return error
    raise AssertionError("the disk took all of it")


def test_a_disk_that_fills_up_while_runs_are_recorded_loses_none_of_them(disk: Disk) -> None:
    with Store.open(disk.root) as store:
        kept = [add_run(store).number for _ in range(3)]
        disk.fill()
        store.index.close()
        error = until_full(lambda: kept.append(add_run(store, notebook="n" * 4000).number))
        assert told_of_room(error)
        assert [run.number for run in store.runs.list()] == kept[::-1]
        disk.free()
        store.index.close()
        assert add_run(store).number == len(kept) + 1


def test_objects_and_journals_say_of_a_full_disk_that_it_is_full(disk: Disk) -> None:
    with Store.open(disk.root) as store:
        disk.fill()
        with contextlib.suppress(FullDiskError):  # an empty file may fit
            store.journals.open("run").close()
        with pytest.raises(FullDiskError) as caught:
            store.objects.put(b"y" * 300_000)
        assert told_of_room(caught.value)
        disk.free()
        assert store.objects.get(store.objects.put(b"y" * 300_000)) == b"y" * 300_000


@pytest.mark.parametrize("state", ["settled", "with its log"])
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_what_is_stored_is_read_on_a_disk_that_takes_nothing(disk: Disk, how: str, state: str) -> None:
    with Store.open(disk.root) as store:
        made = [add_run(store) for _ in range(3)]
        add_result(store)
        log = store.folder / "index.db-wal"
        bytes_of_log, bytes_of_file = log.read_bytes(), (store.folder / "index.db").read_bytes()
    if state == "with its log":  # as a process that was killed leaves it
        (disk.root / ".mlops" / "index.db").write_bytes(bytes_of_file)
        log.write_bytes(bytes_of_log)
    disk.fill() if how == "full" else disk.lock()
    if state == "with its log" and type(disk).__name__ == "PlayedDisk":
        disk.free()  # what is played cannot keep SQLite's own hands from a log
    with Store.open(disk.root, create=False) as store:
        assert [run.number for run in store.runs.list()][-3:] == [run.number for run in reversed(made)]
        assert len(store.steps.names("nb.ipynb")) == 1
        assert verify_store(store, now=store.now()).is_sound


def test_what_can_only_be_read_is_not_opened_to_be_written_and_says_why(disk: Disk) -> None:
    with Store.open(disk.root) as store:
        add_run(store)
    disk.lock()
    with Store.open(disk.root, create=False) as store:
        with pytest.raises(NotWritableError, match="cannot be") as caught:
            add_run(store)
        assert "permission" in caught.value.hint
        assert len(store.runs.list()) == 1
    with pytest.raises(NotWritableError):
        Store.open(disk.root)


def test_damage_on_a_disk_that_can_only_be_read_is_told_and_left(disk: Disk) -> None:
    with Store.open(disk.root) as store:
        hurt = add_result(store)
        path = store.objects.path(str(hurt.result))
        path.write_bytes(b"other")
    disk.lock()
    with Store.open(disk.root, create=False) as store:
        report = verify_store(store, now=store.now())
    told = " ".join(f"{finding.message} {finding.done}" for finding in report.findings)
    assert "is damaged" in told
    assert "Nothing was changed" in told
    assert "step 'train'" in told
    assert path.read_bytes() == b"other"


class Coded(sqlite3.OperationalError):
    """An error of SQLite with a code of its own."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.sqlite_errorcode = code


CODES = {
    "full": (13, FullDiskError, "Free some disk space"),
    "damaged": (11, DamagedIndexError, "store recover"),
    "no database": (26, DamagedIndexError, "store recover"),
    "busy": (5, StoreError, "find the process"),
    "busy while it recovers": (5 | 1 << 8, StoreError, "find the process"),
    "locked": (6, StoreError, "find the process"),
    "read-only": (8, NotWritableError, "write permission"),
    "cannot be opened": (14, NotWritableError, "write permission"),
    "a disk that fails": (10 | 4 << 8, StoreError, "dmesg"),
    "out of memory": (7, StoreError, "Close some programs"),
    "too large": (18, StoreError, "Store it in a file"),
    "no locks": (15, StoreError, "network drives"),
}


@pytest.mark.parametrize(("code", "kind", "hint"), CODES.values(), ids=CODES)
def test_an_error_of_sqlite_is_told_by_its_code_whatever_its_words(
    tmp_path: Path, code: int, kind: type[MLOpsError], hint: str
) -> None:
    (tmp_path / "index.db").touch()
    told = explained(Coded("words that say nothing", code), tmp_path / "index.db")
    assert type(told) is kind
    assert hint in told.hint
    assert "aside" not in told.hint, "no mend may throw the history away"


def test_an_error_of_the_disk_is_what_the_system_says_of_it(disk: Disk) -> None:
    (disk.root / "index.db").touch()
    disk.fill()
    assert type(explained(Coded("disk I/O error", 10), disk.root / "index.db")) is FullDiskError
    disk.free()
    disk.lock()
    assert type(explained(Coded("disk I/O error", 10), disk.root / "index.db")) is NotWritableError


def test_a_folder_that_went_away_is_told(tmp_path: Path) -> None:
    told = explained(Coded("unable to open database file", 14), tmp_path / "gone" / "index.db")
    assert "does not exist" in told.message
    assert "mount" in told.hint


@pytest.mark.parametrize(
    ("number", "kind", "hint"),
    [
        (errno.ENOSPC, FullDiskError, "Free some disk space"),
        (errno.EDQUOT, FullDiskError, "Free some disk space"),
        (errno.EACCES, NotWritableError, "write permission"),
        (errno.EROFS, NotWritableError, "write permission"),
        (errno.ENOTDIR, NotWritableError, "in the way"),
        (errno.EMFILE, StoreError, "Too many files"),
        (errno.EIO, StoreError, "dmesg"),
    ],
)
def test_an_error_of_the_system_is_told_by_its_number(
    tmp_path: Path, number: int, kind: type[MLOpsError], hint: str
) -> None:
    told = refused(OSError(number, "words"), "'x' cannot be written", tmp_path)
    assert type(told) is kind
    assert hint in told.hint
