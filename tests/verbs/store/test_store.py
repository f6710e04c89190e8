"""`store status | verify | recover | gc | export | import`, in words and as JSON, on the command line and in a notebook."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from keeping import add_result, kept, put

from jupyter_mlops.cli.main import main
from jupyter_mlops.errors import IndexVersionError, InputError, UnknownNameError
from jupyter_mlops.store import open_store
from jupyter_mlops.verbs.framework.verb import MAGIC
from jupyter_mlops.verbs.store.store import read_size
from jupyter_mlops.verbs.store.view import size
from verbs.projects import data_of, rows, text_of


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Three results of `train` (the newest 98 days old), one of `load`, of 1 KB each; the oldest two are shared."""
    with open_store(tmp_path) as store:
        add_result(store, "load", data=b"s" * 1000, days=1)
        add_result(store, data=b"s" * 1000, days=100)
        for days in (99, 98):
            add_result(store, data=bytes([days]) * 1000, days=days, display=put(store, b"d" * 500))
    return tmp_path


def test_the_status_counts_what_is_shared_once_and_shows_it_with_each_step(project: Path) -> None:
    status = data_of(project, "store status")
    assert status["kinds"]["values"] == 3000
    assert status["kinds"]["displays"] == 500
    assert status["kinds"]["unreferenced"] == 0
    assert (status["objects"], status["runs"], status["step_runs"], status["versions"]) == (4, 4, 4, 2)
    assert status["total"] == sum(status["kinds"].values()) >= 3500
    train, load = status["steps"]
    assert (train["step"], train["results"], train["own"], train["shared"]) == ("train", 3, 2500, 1000)
    assert (load["step"], load["results"], load["own"], load["shared"]) == ("load", 1, 0, 1000)
    text = text_of(project, "store status")
    assert str(project / ".mlops") in text.replace("\n", "")
    assert ["values", "3", "KB"] in rows(text)
    assert ["train", "nb.ipynb", "3", "2.5", "KB", "1", "KB", "98", "d", "ago"] in rows(text)


def test_what_nothing_needs_and_what_is_unfinished_is_counted(project: Path) -> None:
    with open_store(project) as store:
        path = store.objects.path(put(store, b"u" * 70))
        path.with_name(f".{path.name}.abc.tmp").write_bytes(b"half")
    kinds = data_of(project, "store status")["kinds"]
    assert (kinds["unreferenced"], kinds["unfinished"]) == (70, 4)


def test_a_sound_store_is_told_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert main(["store", "verify"]) == 0
    assert "The store is intact: 4 objects, 3.5 KB read" in text_of(project, "store verify")


def test_damage_is_told_with_what_was_done_and_the_exit_code_is_1(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(project) as store:
        hurt = store.steps.runs(step="train")[0]
        store.objects.path(str(hurt.result)).write_bytes(b"?" * 1000)
    monkeypatch.chdir(project)
    assert main(["store", "verify", "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert "damaged" in findings[0]["message"]
    assert "moved to" in findings[0]["done"]
    assert "step 'train'" in findings[1]["message"]
    assert main(["store", "verify"]) == 0


def test_gc_tells_what_it_would_free_and_then_frees_it(project: Path) -> None:
    dry = data_of(project, "store gc --dry-run")
    text = text_of(project, "store gc --dry-run")
    assert "Would free 1 KB: 2 results, 1 object. 2.5 KB remain." in text
    assert ["train", "nb.ipynb", "100", "d", "ago", "0", "B"] in rows(text)
    real = data_of(project, "store gc")
    assert [result["step_run_id"] for result in real["results"]] == [result["step_run_id"] for result in dry["results"]]
    assert "Freed 0 B: 0 results, 0 objects." in text_of(project, "store gc")


def test_gc_keeps_what_was_used_in_as_many_days_as_are_asked(project: Path) -> None:
    assert len(data_of(project, "store gc --keep-days 99.5 --dry-run")["results"]) == 1
    assert data_of(project, "store gc --keep-days 365 --dry-run")["results"] == []


def test_gc_makes_it_fit(project: Path) -> None:
    report = data_of(project, "store gc --max-size 2.6KB")
    assert len(report["results"]) == 2
    assert report["left"] == 2500


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("500", 500),
        ("2GB", 2 * 10**9),
        ("1.5 GiB", 3 * 2**29),
        ("10mb", 10**7),
        ("3K", 3000),
        ("1 tib", 2**40),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, expected: int) -> None:
    assert read_size(text) == expected


@pytest.mark.parametrize(
    "line", ["--max-size big", "--max-size -3GB", "--max-size 3XB", "--keep-days -1", "--keep-days nan"]
)
def test_a_size_or_a_number_of_days_that_is_none_is_refused(project: Path, line: str) -> None:
    with pytest.raises(InputError) as caught:
        text_of(project, f"store gc {line}")
    assert caught.value.hint


def test_sizes_are_written_as_people_read_them() -> None:
    assert [size(value) for value in (0, 999, 1000, 1_540_000, 2 * 10**9, 3 * 10**15)] == [
        "0 B",
        "999 B",
        "1 KB",
        "1.54 MB",
        "2 GB",
        "3e+03 TB",
    ]


def test_an_export_comes_over_and_a_second_time_nothing_does(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    there = tmp_path_factory.mktemp("there")
    text = text_of(project, "store export runs.zip --step train")
    assert "3 runs, 3 step runs, 1 version, 4 objects (3.5 KB)" in text
    file = project / "runs.zip"
    assert "Imported 3 runs, 3 step runs, 1 version, 4 objects (3.5 KB)." in text_of(there, f"store import '{file}'")
    assert "Everything in it is already here" in text_of(there, f"store import '{file}'")
    with open_store(there) as store:
        assert all(kept(store, *store.steps.runs()))
    assert len(data_of(there, "runs")) == 3


def test_it_works_in_a_notebook_too(project: Path) -> None:
    assert "total" in text_of(project, "store status", surface=MAGIC)
    assert data_of(project, "store verify", surface=MAGIC)["findings"] == []


@pytest.mark.parametrize("form", ["status", "verify", "gc", "export x.zip"])
def test_without_a_project_there_is_one_clear_error(tmp_path: Path, form: str) -> None:
    with pytest.raises(UnknownNameError, match="no project"):
        text_of(tmp_path, f"store {form}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["status", "verify", "gc", "export x.zip", "import x.zip"])
def test_a_store_of_a_newer_version_is_one_clear_error(project: Path, form: str) -> None:
    with closing(sqlite3.connect(project / ".mlops" / "index.db")) as connection, connection:
        connection.execute("update alembic_version set version_num = '9999'")
    with pytest.raises(IndexVersionError, match="9999") as caught:
        text_of(project, f"store {form}")
    assert "pip install -U" in caught.value.hint


def test_a_lost_index_is_refused_by_each_verb_and_recover_says_what_came_back(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    os.truncate(project / ".mlops" / "index.db", 0)
    for words in (["runs"], ["store", "verify"], ["store", "gc"], ["steps"], ["store", "status"]):
        assert main(words) == 1
        told = capsys.readouterr().err.replace("\n", " ")
        assert "is empty, but this project had one" in told
        assert "store recover" in told
    assert main(["store", "recover"]) == 0
    told = capsys.readouterr().out
    assert "The index is restored" in told
    assert "4 runs recorded after it" in told
    assert "not recovered: what the steps of runs 1, 2, 3 and 4 did" in told.replace("\n", " ")
    assert "index.db.damaged-" in told.replace("\n", "")
    assert main(["runs"]) == 0
    assert main(["store", "recover"]) == 2
    assert "nothing to recover" in capsys.readouterr().err
