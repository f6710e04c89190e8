"""Templates are found, and made into projects, wholly or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jupyter_mlops.errors import FullDiskError, InputError, NotWritableError, StoreError, UnknownNameError
from jupyter_mlops.operations.project import templates
from jupyter_mlops.operations.project.templates import list_templates, new_project
from jupyter_mlops.store.project.folder import find_project


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder of templates with one, `small`: a notebook, a folder with a file, and what must not be copied."""
    folder = tmp_path / "shelf" / "small"
    (folder / "data").mkdir(parents=True)
    (folder / "runs").mkdir()
    (folder / "template.json").write_text(
        json.dumps({"title": "Small", "description": "A small one.", "notebook": "main.ipynb"})
    )
    (folder / "main.ipynb").write_text("{}")
    (folder / "data" / "numbers.csv").write_text("1\n")
    (folder / "runs" / "main-1.ipynb").write_text("{}")
    return tmp_path / "shelf"


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_source_checkout_offers_its_own_templates() -> None:
    assert "tabular-classification" in {template.name for template in list_templates()}


def test_templates_are_looked_for_along_jupyters_data_path(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "data" / "mlops" / "templates"
    installed.parent.mkdir(parents=True)
    shelf.rename(installed)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "data"))
    found = {template.name: template for template in list_templates()}
    assert found["small"].description == "A small one."
    assert found["small"].folder == installed / "small"


def test_the_first_template_of_a_name_is_taken(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "small").mkdir(parents=True)
    (tmp_path / "other" / "small" / "template.json").write_text('{"title": "", "description": "", "notebook": ""}')
    assert [template.title for template in list_templates([shelf, tmp_path / "other"])] == ["Small"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"title": 1}', "\xff"])
def test_a_description_that_is_none_is_an_error_with_the_mend(shelf: Path, text: str) -> None:
    (shelf / "small" / "template.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match="does not describe a template") as caught:
        list_templates([shelf])
    assert '"notebook"' in caught.value.hint


def test_a_new_project_holds_the_templates_files_and_is_a_project_of_its_own(shelf: Path, tmp_path: Path) -> None:
    project = new_project("small", tmp_path / "a" / "b", folders=[shelf])
    assert project.notebook == tmp_path / "a" / "b" / "main.ipynb"
    kept = {name for name in names_in(project.folder) if not name.startswith(".mlops")}
    assert kept == {"main.ipynb", "data", "data/numbers.csv"}
    assert find_project(project.notebook) == project.folder


def test_a_project_inside_a_git_repository_keeps_its_own_store(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    project = new_project("small", tmp_path / "demo", folders=[shelf])
    assert find_project(project.folder) == project.folder


def test_an_empty_folder_is_filled_in_place(shelf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    before = folder.stat().st_ino
    new_project("small", folder, folders=[shelf])
    assert folder.stat().st_ino == before
    assert {path.name for path in folder.iterdir()} == {"main.ipynb", "data", ".mlops"}


def test_a_folder_that_holds_something_is_refused_and_left_alone(shelf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match=r"not empty \(it holds 'thesis.tex'\)"):
        new_project("small", folder, folders=[shelf])
    assert names_in(folder) == {"thesis.tex"}


def test_a_file_in_the_place_of_the_folder_is_refused(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        new_project("small", tmp_path / "file", folders=[shelf])


def test_an_unknown_template_gets_a_did_you_mean(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        new_project("smal", tmp_path / "new", folders=[shelf])
    assert caught.value.hint == "Did you mean 'small'?"
    assert not (tmp_path / "new").exists()


def test_where_no_folder_can_be_made_the_error_says_so_and_nothing_is_left(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritableError, match="cannot be made in"):
        new_project("small", tmp_path / "file" / "a" / "b", folders=[shelf])


def test_a_folder_without_write_permission_is_an_error(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    if os.access(locked, os.W_OK):  # root may write everywhere: what the system would say to others is said for it
        monkeypatch.setattr(templates.shutil, "copytree", denied)
    with pytest.raises(NotWritableError, match="Permission denied"):
        new_project("small", locked / "new", folders=[shelf])
    assert names_in(locked) == set()


def denied(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("existing", [True, False], ids=["an empty folder", "a new folder"])
def test_a_disk_that_fills_up_leaves_nothing_half(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    target = tmp_path / "deep" / "new"
    if existing:
        target.mkdir(parents=True)
    copy = templates.shutil.copytree

    def copy_then_fail(*arguments: object, **options: object) -> None:
        copy(*arguments, **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(templates.shutil, "copytree", copy_then_fail)
    with pytest.raises(FullDiskError, match="No space left on device"):
        new_project("small", target, folders=[shelf])
    assert names_in(tmp_path) - names_in(shelf.parent) == set()
    assert target.exists() is existing
    assert (tmp_path / "deep").exists() is existing
    assert not existing or names_in(target) == set()


def test_what_fails_in_the_middle_of_filling_a_folder_is_taken_back(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "empty"
    target.mkdir()
    rename = Path.rename

    def fail_at_last(self: Path, other: Path) -> Path:
        if self.name == "main.ipynb":
            raise OSError(5, "Input/output error")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", fail_at_last)
    with pytest.raises(StoreError, match="Input/output error"):
        new_project("small", target, folders=[shelf])
    assert names_in(target) == set()


def test_files_of_a_template_installed_read_only_are_writable_in_the_project(shelf: Path, tmp_path: Path) -> None:
    (shelf / "small" / "main.ipynb").chmod(0o444)
    project = new_project("small", tmp_path / "new", folders=[shelf])
    assert project.notebook.stat().st_mode & 0o200
