from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from notebooks import code, write_notebook

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, NotebookError, NotWritableError, UnknownNameError
from jupyter_mlops.operations.parameters.values import read_parameters
from jupyter_mlops.operations.runs.cancel import cancel
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.operations.runs.submit import submit
from jupyter_mlops.operations.schedules.listing import list_schedules
from jupyter_mlops.operations.schedules.making import ScheduleRequest, add_schedule
from jupyter_mlops.operations.schedules.steering import remove_schedule
from jupyter_mlops.store.store import Store

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(tmp_path / "a.ipynb", code("n = 1\nname = 'x'\nrate = 0.5", "parameters"))


def test_texts_are_read_by_the_declared_types(notebook: Path) -> None:
    texts = [("name", "007"), ("n", "7"), ("rate", "1")]
    assert read_parameters(notebook, texts) == {"name": "007", "n": 7, "rate": 1.0}
    assert read_parameters(notebook, []) == {}


@pytest.mark.parametrize(
    ("texts", "kind", "words"),
    [
        ([("nmae", "x")], UnknownNameError, "nmae"),
        ([("n", "x")], InputError, "whole number"),
        ([("n", "1"), ("n", "2")], InputError, "twice"),
    ],
)
def test_texts_that_do_not_fit_are_refused(
    notebook: Path, texts: list[tuple[str, str]], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        read_parameters(notebook, texts)


def test_a_notebook_without_parameters_says_how_to_declare_them(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "b.ipynb", code("x = 1"))
    with pytest.raises(UnknownNameError, match="declares none"):
        read_parameters(path, [("x", "2")])


@pytest.mark.parametrize("cells", [("%%step a\n1", "%%step a\n2"), ("1", "2"), ("%%step a\n1", "2")])
def test_a_notebook_with_two_steps_of_one_name_is_refused_before_anything_runs(
    tmp_path: Path, cells: tuple[str, str]
) -> None:
    path = write_notebook(tmp_path / "b.ipynb", *(code(source, "step:a") for source in cells))
    with Store.open(path) as store:
        with pytest.raises(NotebookError, match="Two steps are named 'a'"):
            run_notebook(path, {})
        with pytest.raises(NotebookError, match="Two steps are named 'a'"):
            submit(store, path, {})
        with pytest.raises(NotebookError, match="Two steps are named 'a'"):
            add_schedule(store, path, ScheduleRequest(cron="0 3 * * *"), now=NOW)
        assert (store.runs.list(), store.steps.names()) == ([], [])
    assert not (tmp_path / "runs").exists()


def test_a_project_that_cannot_be_written_is_named(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(NotWritableError, match="cannot be made"):
        run_notebook(notebook, {})


def test_only_what_goes_on_can_be_canceled(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        session = store.runs.create(Run(store.new_id(), 0, "session", "a.ipynb", Status.PENDING, created_at=NOW))
        store.runs.start(session.id, now=NOW)
        job = store.runs.create(Run(store.new_id(), 0, "job", "a.ipynb", Status.PENDING, created_at=NOW))
        with pytest.raises(InputError, match="live notebook session"):
            cancel(store, session.number)
        shared = Run(store.new_id(), 0, "job", "a.ipynb", Status.PENDING, in_shared_process=True, created_at=NOW)
        store.runs.start(store.runs.create(shared).id, now=NOW)
        assert cancel(store, shared.id).stop == "as asked", "its execution reads that in the index"
        assert cancel(store, job.number).status is Status.CANCELED
        with pytest.raises(InputError, match="already ended"):
            cancel(store, job.id)
        with pytest.raises(UnknownNameError):
            cancel(store, 99)


def test_a_schedule_is_checked_when_it_is_added(notebook: Path) -> None:
    with Store.open(notebook) as store:
        for cron, zone, parameters, kind in (
            ("* * *", None, {}, InputError),
            ("* * * * *", "Mars/Base", {}, UnknownNameError),
            ("* * * * *", None, {"m": 1}, UnknownNameError),
            ("* * * * *", None, {"n": "1"}, InputError),
        ):
            with pytest.raises(kind):
                add_schedule(store, notebook, ScheduleRequest(cron=cron, parameters=parameters, zone=zone), now=NOW)
        with pytest.raises(UnknownNameError):
            add_schedule(store, notebook.with_name("b.ipynb"), ScheduleRequest(cron="* * * * *"), now=NOW)
        assert list_schedules(store, NOW)[0] == []


def test_a_schedule_is_added_listed_and_removed(notebook: Path) -> None:
    with Store.open(notebook) as store:
        made = add_schedule(
            store,
            notebook,
            ScheduleRequest(cron="0  6 * * *", parameters={"rate": 1}, zone="Europe/Berlin"),
            now=NOW,
        )
        assert (made.number, made.notebook, made.timing.cron, made.parameters) == (
            1,
            "a.ipynb",
            "0 6 * * *",
            {"rate": 1.0},
        )
        (view,), status = list_schedules(store, NOW)
        assert view.fires_next == (datetime(2026, 3, 11, 5, 0, tzinfo=timezone.utc),)
        assert not status.alive
        assert remove_schedule(store, 1, now=NOW).id == made.id
        with pytest.raises(UnknownNameError):
            remove_schedule(store, 1, now=NOW)


def test_a_notebook_of_another_project_is_not_scheduled_here(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "there" / "a.ipynb", code("x = 1"))
    (tmp_path / "here").mkdir()
    with Store.open(tmp_path / "here") as store, pytest.raises(InputError, match="not in the project"):
        add_schedule(store, path, ScheduleRequest(cron="* * * * *"), now=NOW)


def test_a_broken_notebook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text("<<<<<<< HEAD")
    with pytest.raises(NotebookError, match="not valid JSON"):
        run_notebook(path, {})
    assert not (tmp_path / ".mlops").exists()
