"""`store recover` makes a lost index again: from its backup, what is left of it, the logbook, journals, and MLflow."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from keeping import add_result, add_run

from jupyter_mlops.domain.run import Run, RunFailure
from jupyter_mlops.domain.schedule import Schedule, Sighting, Timing, Trigger, TriggerKind
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.storage import Recovery
from jupyter_mlops.errors import DamagedIndexError, InputError
from jupyter_mlops.execution.notebook.journal import NOTEBOOK, RUN_ENDED, RUN_STARTED
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.operations.store.gc import collect_garbage
from jupyter_mlops.operations.store.recovering import recover_store
from jupyter_mlops.operations.store.verify import verify_store
from jupyter_mlops.store import open_store
from jupyter_mlops.store.backup import logbook
from jupyter_mlops.store.backup.mark import FILE, read_mark, write_mark
from jupyter_mlops.store.backup.rolling import EVERY, back_up, backups_of, is_due, pages_since
from jupyter_mlops.store.store import Store

NOW = datetime.now(timezone.utc)


def finished(store: Store, **values: object) -> Run:
    made = add_run(store, status=Status.RUNNING, **values)
    store.runs.finish(made.id, Status.COMPLETED, now=NOW)
    return made


def index_of(root: Path) -> Path:
    return root / ".mlops" / "index.db"


def empty(root: Path) -> None:
    os.truncate(index_of(root), 0)


def take_away(root: Path) -> None:
    for path in (root / ".mlops").glob("index.db*"):
        path.unlink()


def cut(root: Path) -> None:
    os.truncate(index_of(root), index_of(root).stat().st_size // 3 // 4096 * 4096)


def put_older(root: Path) -> None:
    shutil.copy(root / "older.db", index_of(root))


def overwrite(root: Path) -> None:
    with open(index_of(root), "r+b") as file:
        file.write(b"this is no database" * 900)


LOSSES: dict[str, Callable[[Path], None]] = {
    "emptied": empty,
    "missing": take_away,
    "cut off": cut,
    "an older copy": put_older,
    "written over": overwrite,
}


def recover(root: Path) -> Recovery:
    return recover_store(root, now=datetime.now(timezone.utc))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a backup, and runs, a schedule, a waiting run and a removed one that came after it."""
    with open_store(tmp_path) as store:
        finished(store)
        store.index.checkpoint()  # type: ignore[attr-defined]
        shutil.copy(index_of(tmp_path), tmp_path / "older.db")
        add_result(store)
        add_run(store, status=Status.PENDING, id="ends-later", parameters={"n": 1})
        waiting = store.schedules.create(
            Schedule("f", 0, "nb.ipynb", trigger=Trigger(TriggerKind.FILE, "*.csv"), created_at=NOW)
        )
        store.schedules.note_sightings("f", [Sighting("a.csv", "3 1 7", "digest", 2)])
        back_up(store.folder, NOW)
        store.runs.finish("ends-later", Status.FAILED, now=NOW, error=RunFailure("failed", "It broke."))
        finished(store, id="after", parameters={"n": 2}, notebook="other.ipynb")
        add_run(store, id="waits", status=Status.PENDING, priority=3, notebook_object="a" * 64)
        store.schedules.replace(replace(waiting, paused_at=NOW))
        store.schedules.create(Schedule("s", 0, "nb.ipynb", Timing("0 2 * * *"), {"n": 3}, NOW))
        gone = finished(store)
        store.runs.remove(gone.id)
    return tmp_path


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_all_runs_schedules_and_what_waits_come_back_however_the_index_was_lost(
    project: Path, lose: Callable[[Path], None]
) -> None:
    with open_store(project) as store:
        before = [(run.number, run.id, run.status, run.parameters, run.error) for run in store.runs.list()]
        steps = store.steps.runs()
    lose(project)
    damaged = index_of(project).read_bytes() if index_of(project).exists() else None
    with pytest.raises(DamagedIndexError):
        open_store(project)
    made = recover(project)
    assert "backup" in made.base
    assert all("steps" in text for text in made.missing), "no run is missing"
    assert (made.aside is None) == (damaged is None)
    assert made.aside is None or made.aside.read_bytes() == damaged, "nothing is deleted"
    with open_store(project) as store:
        found = [(run.number, run.id, run.status, run.parameters, run.error) for run in store.runs.list()]
        assert found == before
        assert store.runs.get("waits").priority == 3
        assert store.queue.waiting() == 1
        assert [
            (each.number, each.timing.cron, each.parameters, each.paused_at) for each in store.schedules.list()
        ] == [
            (1, "", {}, NOW),
            (2, "0 2 * * *", {"n": 3}, None),
        ]
        assert store.schedules.sightings("f")["a.csv"].count == 2, "files that fired do not fire again"
        assert store.steps.runs() == steps
        assert store.index.integrity() == []
        assert add_run(store).number == 6
    with pytest.raises(InputError, match="nothing to recover"):
        recover(project)


def test_an_index_that_is_sound_is_left_alone(project: Path) -> None:
    before = index_of(project).read_bytes()
    with pytest.raises(InputError, match="is intact"):
        recover(project)
    assert index_of(project).read_bytes() == before


def test_without_any_backup_the_folder_still_tells_of_the_runs(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        finished(store, parameters={"n": 1})
        finished(store)
    take_away(tmp_path)
    assert recover(tmp_path).base == "scratch"
    with open_store(tmp_path) as store:
        assert [(run.number, run.status) for run in store.runs.list()] == [(2, Status.COMPLETED), (1, Status.COMPLETED)]
        assert store.runs.get(1).parameters == {"n": 1}


def test_what_only_journals_know_is_listed_and_what_was_at_work_is_not_run_again(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        finished(store)
        back_up(store.folder, NOW)
        for number, ends in ((2, True), (3, False)):
            journal = store.journals.open(f"run{number}")
            journal.write(RUN_STARTED, run=f"run{number}", number=number, notebook="nb.ipynb", attempt=0, resumes=None,
                          pid=2**22 + 1, pid_started=1.0, host="here")  # fmt: skip
            journal.write(NOTEBOOK, notebook={"metadata": {"papermill": {"parameters": {"n": number}}}, "cells": []})
            if ends:
                error = {"cause": "cell_failed", "message": "It broke."}
                journal.write(RUN_ENDED, status="failed", error=error, events_lost=0, unsaved=None)
            journal.close()
    empty(tmp_path)
    made = recover(tmp_path)
    assert any("2 runs by journal" in text for text in made.came)
    with open_store(tmp_path) as store:
        told = store.runs.get(2)
        assert (told.status, told.parameters, told.error and told.error.message) == (
            Status.FAILED,
            {"n": 2},
            "It broke.",
        )
        assert store.queue.waiting() == 0
        reconcile(store, now=store.now(), see_to_worker=lambda store: None)
        assert store.runs.get(3).status is Status.LOST


def test_a_run_whose_steps_did_not_come_back_is_named(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        finished(store)
        back_up(store.folder, NOW)
        finished(store)
        finished(store)
        store.index.checkpoint()  # type: ignore[attr-defined]
    empty(tmp_path)
    made = recover(tmp_path)
    assert any("the steps of runs 2 and 3 did" in text for text in made.missing)


def test_a_log_that_holds_everything_gives_everything_although_the_file_is_gone(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        made = [add_result(store).id for _ in range(3)]
        log = (tmp_path / ".mlops" / "index.db-wal").read_bytes()
    take_away(tmp_path)
    index_of(tmp_path).touch()
    index_of(tmp_path).with_name("index.db-wal").write_bytes(log)
    found = recover(tmp_path)
    assert found.base == "the index's log, which contains all of it"
    assert found.missing == ()
    with open_store(tmp_path) as store:
        assert {each.id for each in store.steps.runs()} == set(made)


def test_an_index_that_lacks_a_run_which_has_a_journal_is_told_and_nothing_is_removed_by_its_word(
    tmp_path: Path,
) -> None:
    with open_store(tmp_path) as store:
        finished(store)
        journal = store.journals.open("lost")
        journal.write(RUN_STARTED, run="lost", number=4, notebook="nb.ipynb", attempt=0, resumes=None, pid=1, host="")
        journal.close()
        report = verify_store(store, now=NOW)
        assert any("it does not contain run 4" in finding.message for finding in report.findings)
        with pytest.raises(DamagedIndexError, match="Nothing was removed"):
            collect_garbage(store, now=NOW)
    recover(tmp_path)
    with open_store(tmp_path) as store:
        assert verify_store(store, now=NOW).is_sound
        assert store.runs.get(4).id == "lost"
        collect_garbage(store, now=NOW)


def test_numbers_go_on_after_the_highest_that_anything_tells_of(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        finished(store)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "report-9.ipynb").touch()
    (tmp_path / ".mlops" / logbook.FILE).unlink()
    empty(tmp_path)
    made = recover(tmp_path)
    assert made.runs == 9
    assert made.missing == ("all but the number of runs 1, 2, 3, 4, 5, 6, 7, 8 and 9",)
    with open_store(tmp_path) as store:
        assert add_run(store).number == 10
        assert store.runs.get(4).error == RunFailure("record_lost", "The record of this run was lost with the index.")


def test_mlflows_own_store_tells_of_runs_of_which_nothing_else_does(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        finished(store)
        write_mark(store.folder, read_mark(store.folder))  # type: ignore[arg-type]
    with closing(sqlite3.connect(tmp_path / ".mlops" / "mlflow.db")) as connection, connection:
        connection.execute("create table runs (run_uuid text, status text, start_time integer, end_time integer)")
        connection.execute("create table tags (run_uuid text, key text, value text)")
        connection.execute("insert into runs values ('m', 'FINISHED', 1790000000000, 1790000005000)")
        tags = {"mlops.id": "there", "mlops.number": "2", "mlops.kind": "session", "mlflow.source.name": "live.ipynb"}
        connection.executemany("insert into tags values ('m', ?, ?)", tags.items())
    empty(tmp_path)
    assert any("1 run by MLflow" in text for text in recover(tmp_path).came)
    with open_store(tmp_path) as store:
        run = store.runs.get(2)
        assert (run.id, run.kind, run.notebook, run.status) == ("there", "session", "live.ipynb", Status.COMPLETED)


def test_nothing_is_taken_from_an_index_of_another_project(project: Path) -> None:
    other = project / "other"
    (other / ".mlops").mkdir(parents=True)
    with open_store(other) as store:
        foreign = [finished(store).id for _ in range(9)]
    shutil.copy(index_of(other), index_of(project))
    with pytest.raises(DamagedIndexError, match="not the one that belongs to this project"):
        open_store(project)
    recover(project)
    with open_store(project) as store:
        assert len(store.runs.list()) == 5
        assert not {run.id for run in store.runs.list()} & set(foreign)


def test_a_damaged_page_takes_only_what_stood_on_it(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for _ in range(40):
            add_result(store, data=os.urandom(20))
        back_up(store.folder, NOW)
        late = [add_result(store, data=os.urandom(20)).id for _ in range(40)]
        store.index.checkpoint()  # type: ignore[attr-defined]
        with closing(sqlite3.connect(index_of(tmp_path))) as connection:
            page = connection.execute("select rootpage from sqlite_master where name = 'ix_runs_notebook'").fetchone()[
                0
            ]
    with open(index_of(tmp_path), "r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    recover(tmp_path)
    with open_store(tmp_path) as store:
        assert {each.id for each in store.steps.runs()} >= set(late), "steps that came after the backup are there, too"
        assert len(store.runs.list()) == 80


def test_a_row_that_cannot_be_read_comes_back_as_the_backup_has_it(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        kept = add_result(store)
        back_up(store.folder, NOW)
        lost = add_result(store)
        store.index.checkpoint()  # type: ignore[attr-defined]
    with closing(sqlite3.connect(index_of(tmp_path))) as connection, connection:
        connection.execute("update step_runs set inputs = '{'")
        connection.execute("update runs set tags = '['")
    made = recover(tmp_path)
    assert made.base == "the index as it is"
    with open_store(tmp_path) as store:
        assert [each.id for each in store.steps.runs()] == [kept.id]
        assert len(store.runs.list()) == 2, "runs stand in the logbook, too"
    assert any(lost.id in text for text in made.missing)


def test_a_recovery_on_a_full_disk_changes_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty(project)
    before = {path: path.read_bytes() for path in (project / ".mlops").rglob("*") if path.is_file()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(Exception, match="No space left"):
        recover(project)
    monkeypatch.undo()
    after = {path: path.read_bytes() for path in (project / ".mlops").rglob("*") if path.is_file()}
    assert {path: data for path, data in after.items() if not path.name.endswith(".lock")} == {
        path: data for path, data in before.items() if not path.name.endswith(".lock")
    }
    recover(project)


def test_a_backup_is_due_when_the_last_is_old_and_something_was_recorded_since(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        finished(store)
        assert is_due(store.folder, NOW)
        assert back_up(store.folder, NOW) is not None
        assert not is_due(store.folder, NOW + EVERY / 2)
        later = datetime.now(timezone.utc) + EVERY * 2
        os.utime(index_of(tmp_path), (NOW.timestamp() - 60,) * 2)
        os.utime(tmp_path / ".mlops" / "index.db-wal", (NOW.timestamp() - 60,) * 2)
        assert not is_due(store.folder, later), "nothing changed"
        os.utime(index_of(tmp_path), (later.timestamp(),) * 2)
        assert is_due(store.folder, later)


def test_few_backups_are_kept_of_all_ages_and_the_logbook_as_far_back(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for minutes in range(0, 3 * 24 * 60, 60):
            finished(store)
            back_up(store.folder, NOW + timedelta(minutes=minutes))
        found = backups_of(store.folder)
        ages = [found[0].at - backup.at for backup in found]
        assert len(found) <= 5
        assert any(timedelta(hours=1) <= age < timedelta(days=1) for age in ages)
        assert any(age >= timedelta(days=1) for age in ages)
        runs = {row["number"] for kind, row in logbook.read(*pages_since(store.folder, found[-1]))}
        assert runs >= set(range(75 - int(ages[-1] / timedelta(hours=1)), 73))


def test_what_is_not_sound_takes_no_sound_backups_place(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for _ in range(60):
            add_run(store, notebook="x" * 500)
        kept = back_up(store.folder, NOW)
        store.index.checkpoint()  # type: ignore[attr-defined]
    with open(index_of(tmp_path), "r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 10)
    assert back_up(tmp_path / ".mlops", NOW + EVERY) is None
    assert backups_of(tmp_path / ".mlops") == [kept]
    assert (tmp_path / ".mlops" / FILE).exists()


def test_a_run_is_written_down_once_it_is_committed_and_not_where_it_was_rolled_back(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        made = finished(store)
        with contextlib.suppress(ZeroDivisionError), store.index.write() as connection:
            logbook.note(connection, logbook.RUNS, {"id": "never"})
            raise ZeroDivisionError
        store.runs.update(made.id, tags={"a": "b"})
        lines = list(logbook.read(*pages_since(store.folder, None)))
    assert [(kind, row["id"], row["status"]) for kind, row in lines] == [
        (logbook.RUNS, made.id, "running"),
        (logbook.RUNS, made.id, "completed"),
    ]
