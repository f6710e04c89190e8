"""Job definitions of jupyter-scheduler; the database has the columns that its version 2.12 reads and writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from notebooks import code, write_notebook

from jupyter_mlops.errors import InputError
from jupyter_mlops.operations.schedules.importing import import_definitions
from jupyter_mlops.operations.schedules.steering import remove_schedule
from jupyter_mlops.store.store import Store

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "project").mkdir()
    with Store.open(tmp_path / "project") as opened:
        yield opened


class Definitions:
    """The data folder of a jupyter-scheduler."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "scheduler.sqlite"
        with sqlite3.connect(self.database) as connection:
            connection.execute(
                "create table job_definitions (job_definition_id text, name text, input_filename text, schedule text,"
                " timezone text, parameters text, active boolean, create_time integer)"
            )

    def add(self, called: str, cron: str | None, *, active: bool = True, **parameters: object) -> Path:
        """A definition and its copy of the notebook."""
        with sqlite3.connect(self.database) as connection:
            count = connection.execute("select count(*) from job_definitions").fetchone()[0]
            row = (f"id{count}", called, "nightly.ipynb", cron, "Europe/Berlin", json.dumps(parameters), active, count)
            connection.execute("insert into job_definitions values (?, ?, ?, ?, ?, ?, ?, ?)", row)
        staged = self.folder / "scheduler_staging_area" / f"id{count}" / "nightly.ipynb"
        return write_notebook(staged, code("n: int = 1\nname = ''", "parameters"), code("m = n"))


@pytest.fixture
def definitions(tmp_path: Path) -> Definitions:
    return Definitions(tmp_path)


def test_a_definition_becomes_a_schedule_once(store: Store, definitions: Definitions) -> None:
    copy = definitions.add("Nightly", "30 2 * * *", n="3", name="7")
    (made,) = import_definitions(store, definitions.database, now=NOON)
    assert (made.schedule, made.problem, made.notes) == (1, "", ("The notebook was copied to nightly.ipynb.",))
    schedule = store.schedules.get(1)
    assert (schedule.notebook, schedule.timing.cron, schedule.timing.timezone) == (
        "nightly.ipynb",
        "30 2 * * *",
        "Europe/Berlin",
    )
    assert schedule.parameters == {"n": 3, "name": "7"}, "a text is read by the declared type"
    assert bytes(store.objects.get(str(schedule.notebook_object))) == copy.read_bytes()
    assert (store.root / "nightly.ipynb").read_bytes() == copy.read_bytes()
    assert schedule.next_fire_at == datetime(2026, 3, 11, 1, 30, tzinfo=timezone.utc)
    remove_schedule(store, 1, now=NOON)
    (again,) = import_definitions(store, definitions.database, now=NOON)
    assert (again.schedule, again.problem) == (1, "It was imported before.")
    assert store.schedules.list() == []


def test_what_is_not_active_is_paused_and_what_has_no_schedule_is_told(store: Store, definitions: Definitions) -> None:
    definitions.add("Weekly", "0 6 * * MON", active=False)
    definitions.add("By hand", None)
    weekly, by_hand = import_definitions(store, definitions.database, now=NOON)
    assert store.schedules.get(1).paused_at == NOON
    assert weekly.notes[0] == "It is paused, as it was not active."
    assert (by_hand.schedule, by_hand.problem) == (None, "It has no schedule.")


def test_one_that_cannot_run_is_told_and_the_others_come(store: Store, definitions: Definitions) -> None:
    definitions.add("Wrong", "30 2 * * *", n="many")
    definitions.add("Unknown", "30 2 * * *", x=1)
    definitions.add("Lost", "30 2 * * *").unlink()
    definitions.add("Right", "30 2 * * *")
    found = import_definitions(store, definitions.database, now=NOON)
    assert [each.schedule for each in found] == [None, None, None, 1]
    assert ["n" in found[0].problem, "x" in found[1].problem, "cannot be read" in found[2].problem] == [True] * 3


def test_the_projects_file_stays_and_the_copy_runs(store: Store, definitions: Definitions) -> None:
    copy = definitions.add("Nightly", "30 2 * * *")
    own = write_notebook(store.root / "reports" / "nightly.ipynb", code("n: int = 2", "parameters"))
    before = own.read_bytes()
    (made,) = import_definitions(store, definitions.database, now=NOON)
    assert made.notes == ("It runs the copy that jupyter-scheduler had; the project's file differs.",)
    schedule = store.schedules.get(1)
    assert schedule.notebook == "reports/nightly.ipynb"
    assert bytes(store.objects.get(str(schedule.notebook_object))) == copy.read_bytes()
    assert own.read_bytes() == before
    write_notebook(store.root / "other" / "nightly.ipynb", code("n: int = 3", "parameters"))
    definitions.add("Second", "30 3 * * *")
    assert (
        "The project has 2 notebooks called 'nightly.ipynb'"
        in import_definitions(store, definitions.database, now=NOON)[1].problem
    )


def test_a_dry_run_makes_nothing(store: Store, definitions: Definitions) -> None:
    definitions.add("Nightly", "30 2 * * *")
    (made,) = import_definitions(store, definitions.database, now=NOON, dry_run=True)
    assert (made.schedule, made.problem) == (None, "")
    assert store.schedules.list() == []
    assert not (store.root / "nightly.ipynb").exists()


@pytest.mark.parametrize("text", [None, "no database", ""])
def test_what_is_no_such_database_is_refused(store: Store, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "x.sqlite"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match="jupyter-scheduler"):
        import_definitions(store, path, now=NOON)
