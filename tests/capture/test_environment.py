"""Which packages are installed: told from folder names, and only looked up again where a folder changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_mlops.capture.environment import packages_digest, python_minor


def test_a_version_that_changes_shows_and_other_files_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    before = packages_digest()
    (tmp_path / "module.py").touch()
    (tmp_path / "jupyter_mlops-9.dist-info").mkdir()
    os.utime(tmp_path, (5, 5))
    assert packages_digest() == before
    (tmp_path / "some-1.0.dist-info").rename(tmp_path / "some-1.1.dist-info")
    assert packages_digest() != before


def test_only_a_folder_that_changed_is_listed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    packages_digest()
    listed: list[str] = []
    plainly = os.listdir

    def noting(path: str) -> list[str]:
        listed.append(path)
        return plainly(path)

    monkeypatch.setattr(os, "listdir", noting)
    packages_digest()
    assert listed == []
    (tmp_path / "other-1.0.dist-info").mkdir()
    os.utime(tmp_path, (7, 7))
    packages_digest()
    assert listed == [str(tmp_path)]


def test_entries_that_are_no_folders_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = packages_digest()
    (tmp_path / "archive.zip").touch()
    monkeypatch.syspath_prepend(tmp_path / "none")
    monkeypatch.syspath_prepend(tmp_path / "archive.zip")
    assert packages_digest() == before


def test_the_interpreter_is_named_without_its_patch_version() -> None:
    assert python_minor().count(".") == 1
