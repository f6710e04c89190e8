"""Digests of files and folders as they are now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_mlops.store.files.digests import ABSENT, EXISTS, file_digest, named_files


def test_a_file_has_the_digest_of_its_content_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"one")
    (tmp_path / "c").write_bytes(b"two")
    a, b, c = (file_digest(str(tmp_path / name)) for name in "abc")
    assert a == b != c
    os.utime(tmp_path / "a", (1, 1))
    assert file_digest(str(tmp_path / "a")) == a


def test_a_folder_has_the_digest_of_the_names_in_it(tmp_path: Path) -> None:
    before = file_digest(str(tmp_path))
    (tmp_path / "new").touch()
    after = file_digest(str(tmp_path))
    (tmp_path / "new").write_text("content")
    assert before != after == file_digest(str(tmp_path))


def test_nothing_is_absent(tmp_path: Path) -> None:
    assert file_digest(str(tmp_path / "none")) == ABSENT
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    assert file_digest(str(tmp_path / "dangling")) == ABSENT


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert file_digest(str(tmp_path / "pipe")).startswith("special:")


def test_texts_that_name_files_are_found_and_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("a,b")
    (tmp_path / "folder").mkdir()
    texts = {"data.csv", "no.csv", "folder", "", "x" * 5000, "two\nlines", "nul\0byte", "a,b"}
    assert named_files(texts, str(tmp_path)) == {str(tmp_path / "data.csv"): file_digest(str(tmp_path / "data.csv"))}


def test_only_being_there_can_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    assert file_digest(f"{EXISTS}{tmp_path / 'a'}") == "file"
    assert file_digest(f"{EXISTS}{tmp_path}") == "folder"
    assert file_digest(f"{EXISTS}{tmp_path / 'none'}") == ABSENT


def test_a_folder_with_names_that_are_no_text_has_a_digest(tmp_path: Path) -> None:
    before = file_digest(str(tmp_path))
    with open(os.fsencode(tmp_path) + b"/\xff", "w"):
        pass
    assert file_digest(str(tmp_path)) != before
