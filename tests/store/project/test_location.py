"""Where a project's store is: said once, the same for every process, and never in two ways."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import StoreError
from jupyter_mlops.store import open_store
from jupyter_mlops.store.project.location import (
    StorePlace,
    current_place,
    make_place,
    place_of,
    read_place,
    write_place,
)
from store.conftest import NOON

URL = "postgresql+psycopg://me:secret@db.example/mlops"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Churn-2" / ".mlops"
    made.mkdir(parents=True)
    return made


def test_without_a_word_all_is_in_the_projects_folder_and_nothing_is_written(folder: Path) -> None:
    assert place_of(folder.parent, folder, {}) == StorePlace()
    assert list(folder.iterdir()) == []


def test_the_environment_decides_at_first_use_and_is_needed_no_more(folder: Path) -> None:
    asked = place_of(folder.parent, folder, {"MLOPS_STORE": URL, "MLOPS_OBJECTS": "s3://bucket/prefix/"})
    assert (asked.index, asked.objects, asked.project) == (URL, "s3://bucket/prefix", "churn_2")
    kept = place_of(folder.parent, folder, {})
    assert kept == StorePlace("postgresql+psycopg://me@db.example/mlops", "s3://bucket/prefix", "churn_2")
    assert "secret" not in (folder / "store.json").read_text()


def test_the_environment_may_say_the_same_in_other_words(folder: Path) -> None:
    place_of(folder.parent, folder, {"MLOPS_STORE": "postgresql://db.example:5432/mlops"})
    assert place_of(folder.parent, folder, {"MLOPS_STORE": URL}).index == URL, "with the password it knows"
    assert current_place(folder, {"MLOPS_STORE": URL}).index == URL


@pytest.mark.parametrize(
    "environment",
    [
        {"MLOPS_STORE": "postgresql://other.example/mlops"},
        {"MLOPS_STORE": "postgresql://db.example/other"},
        {"MLOPS_STORE": "embedded"},
        {"MLOPS_OBJECTS": "s3://elsewhere"},
    ],
)
def test_the_environment_may_not_contradict_what_the_project_has(folder: Path, environment: dict[str, str]) -> None:
    place_of(folder.parent, folder, {"MLOPS_STORE": URL, "MLOPS_OBJECTS": "s3://bucket"})
    with pytest.raises(StoreError, match=next(iter(environment))) as caught:
        place_of(folder.parent, folder, environment)
    assert "store move" in caught.value.hint
    assert "secret" not in caught.value.message + caught.value.hint


def test_a_project_with_runs_does_not_lose_them_to_a_variable(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        folder = store.folder
    environment = {"MLOPS_STORE": URL}
    assert make_place(tmp_path, URL, None).project == place_of(tmp_path, folder, environment).project, "nothing ran yet"
    (folder / "store.json").unlink()
    with open_store(tmp_path) as store:
        store.runs.create(Run(store.new_id(), 0, "job", "nb.ipynb", Status.PENDING, created_at=NOON))
    with pytest.raises(StoreError, match="has its store in") as caught:
        place_of(tmp_path, folder, environment)
    assert "secret" not in caught.value.message
    assert "store move" in caught.value.hint


@pytest.mark.parametrize(
    "url", ["sqlite:///x.db", "mysql://host/db", "no url", "postgresql://host/db?project=pg_mine", "postgresql://h:x/d"]
)
def test_what_is_no_store_is_refused(folder: Path, url: str) -> None:
    with pytest.raises(StoreError):
        place_of(folder.parent, folder, {"MLOPS_STORE": url})
    assert read_place(folder) is None


def test_what_is_no_url_of_objects_is_refused(folder: Path) -> None:
    with pytest.raises(StoreError, match="not a URL for objects"):
        place_of(folder.parent, folder, {"MLOPS_OBJECTS": "bucket/prefix"})


def test_a_file_of_a_newer_version_and_a_broken_one_are_told(folder: Path) -> None:
    (folder / "store.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(StoreError, match="newer version"):
        place_of(folder.parent, folder, {})
    (folder / "store.json").write_text("{}")
    with pytest.raises(StoreError, match="cannot be read"):
        place_of(folder.parent, folder, {})


def test_objects_elsewhere_of_an_index_in_the_folder_have_an_owner_that_stays(folder: Path) -> None:
    first = place_of(folder.parent, folder, {"MLOPS_OBJECTS": "s3://bucket"})
    assert first.id
    assert place_of(folder.parent, folder, {}) == first
    write_place(folder, StorePlace())
    assert not (folder / "store.json").exists()


def test_a_file_that_goes_with_the_code_says_it_for_all_who_have_the_project(folder: Path) -> None:
    root = folder.parent
    told = '[store]\nindex = "postgresql://db.example/mlops"\nobjects = "s3://bucket"\nproject = "sales"\n'
    (root / "mlops.toml").write_text(told)
    asked = place_of(root, folder, {})
    assert (asked.index, asked.objects, asked.project) == (
        "postgresql+psycopg://db.example/mlops",
        "s3://bucket",
        "sales",
    )
    assert place_of(root, folder, {"MLOPS_STORE": URL}).index == URL, "the same, with a password"
    (root / "mlops.toml").write_text(told.replace("db.example", "other.example"))
    with pytest.raises(StoreError, match=r"mlops\.toml names a different store"):
        place_of(root, folder, {})
    (root / "mlops.toml").write_text("[store]\nport = 3\n")
    with pytest.raises(StoreError, match="cannot be read"):
        place_of(root, folder, {})
