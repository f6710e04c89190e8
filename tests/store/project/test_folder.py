"""Where a project is, and how it is made on first use."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from jupyter_mlops.errors import NotWritableError, UnknownNameError
from jupyter_mlops.store import find_project, open_store, project_for
from jupyter_mlops.store.project.folder import make_project, relative_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_opening_makes_a_private_folder_that_ignores_itself_in_git(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert store.folder == tmp_path / ".mlops"
    assert mode(tmp_path / ".mlops") == 0o700
    assert mode(tmp_path / ".mlops" / "objects") == 0o700
    assert mode(tmp_path / ".mlops" / "index.db") == 0o600
    assert (tmp_path / ".mlops" / ".gitignore").read_text() == "*\n"


def test_opening_again_changes_nothing_that_the_user_wrote(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    (tmp_path / ".mlops" / ".gitignore").write_text("mine\n")
    open_store(tmp_path).close()
    assert (tmp_path / ".mlops" / ".gitignore").read_text() == "mine\n"


def test_a_project_is_made_at_the_git_root(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    notebook = tmp_path / "deep" / "er" / "a.ipynb"
    notebook.parent.mkdir(parents=True)
    notebook.touch()
    with open_store(notebook) as store:
        assert store.root == tmp_path
        assert store.relative(notebook) == "deep/er/a.ipynb"
    assert not (notebook.parent / ".mlops").exists()


def test_a_git_worktree_whose_git_is_a_file_counts_as_a_root(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    (tmp_path / "sub").mkdir()
    assert project_for(tmp_path / "sub") == tmp_path


def test_without_git_a_project_is_made_beside_the_notebook(tmp_path: Path) -> None:
    notebook = tmp_path / "work" / "a.ipynb"
    notebook.parent.mkdir()
    notebook.touch()
    with open_store(notebook) as store:
        assert store.root == notebook.parent


def test_the_nearest_project_above_is_found_before_git(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / ".mlops").mkdir(parents=True)
    (tmp_path / "a" / "b").mkdir()
    assert find_project(tmp_path / "a" / "b") == tmp_path / "a"
    assert project_for(tmp_path / "a" / "b") == tmp_path / "a"
    assert find_project(tmp_path) is None


def test_without_create_a_missing_project_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no project at or above") as caught:
        open_store(tmp_path, create=False)
    assert "first use" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_told_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / ".mlops").write_text("not a folder")
    with pytest.raises(NotWritableError, match="cannot be made") as caught:
        open_store(tmp_path)
    assert str(tmp_path) in caught.value.hint
    assert (tmp_path / ".mlops").read_text() == "not a folder"


def test_a_folder_that_cannot_be_made_is_told_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotWritableError, match="cannot be made") as caught:
        make_project(tmp_path / "file")
    assert "writable" in caught.value.hint


def test_an_index_whose_folder_cannot_hold_a_lock_is_told(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / ".mlops" / "index.lock").mkdir()
    with pytest.raises(NotWritableError, match=r"index\.lock"):
        open_store(tmp_path)


def test_paths_are_relative_with_forward_slashes_or_absolute_outside(tmp_path: Path) -> None:
    root = tmp_path / "project"
    assert relative_path(root, root / "sub" / "a.ipynb") == "sub/a.ipynb"
    assert relative_path(root, root / "sub" / ".." / "a.ipynb") == "a.ipynb"
    assert relative_path(root, tmp_path / "b.ipynb") == (tmp_path / "b.ipynb").as_posix()
