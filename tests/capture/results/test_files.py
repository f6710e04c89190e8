"""Files that a step made come back as they were, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops.capture.results import files
from jupyter_mlops.capture.results.files import keep_files, restore_files
from jupyter_mlops.errors import DamagedObjectError, NotWritableError, StoreError
from jupyter_mlops.store.objects.local import Objects


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path / "store")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_files_come_back_with_their_folders(objects: Objects, work: Path) -> None:
    (work / "out/deep").mkdir(parents=True)
    (work / "out/deep/a.bin").write_bytes(b"\x00one")
    (work / "b.txt").write_text("two")
    kept = keep_files(objects, [str(work / "out/deep/a.bin"), str(work / "b.txt")])
    (work / "out/deep/a.bin").unlink()
    (work / "out/deep").rmdir()
    (work / "b.txt").write_text("other")
    restore_files(objects, kept)
    assert (work / "out/deep/a.bin").read_bytes() == b"\x00one"
    assert (work / "b.txt").read_text() == "two"
    assert sorted(os.listdir(work)) == ["b.txt", "out"]


def test_an_empty_folder_comes_back(objects: Objects, work: Path) -> None:
    (work / "out").mkdir()
    kept = keep_files(objects, [str(work / "out")])
    (work / "out").rmdir()
    assert all(name in objects for name in kept.values())
    restore_files(objects, kept)
    restore_files(objects, kept)
    assert (work / "out").is_dir()


def test_a_file_that_has_the_content_is_not_touched(objects: Objects, work: Path) -> None:
    (work / "a").write_text("one")
    kept = keep_files(objects, [str(work / "a")])
    os.utime(work / "a", (1, 1))
    restore_files(objects, kept)
    assert (work / "a").stat().st_mtime == 1


def test_mode_and_link_of_what_is_there_stay(objects: Objects, work: Path) -> None:
    (work / "real").write_text("one")
    (work / "link").symlink_to(work / "real")
    kept = keep_files(objects, [str(work / "link")])
    (work / "real").write_text("two")
    (work / "real").chmod(0o640)
    restore_files(objects, kept)
    assert (work / "link").is_symlink()
    assert (work / "real").read_text() == "one"
    assert (work / "real").stat().st_mode & 0o777 == 0o640


def test_a_large_file_is_kept_piece_by_piece(objects: Objects, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_FEW_BYTES", 10)
    monkeypatch.setattr(files, "_PIECE", 1000)
    data = os.urandom(12_345)
    (work / "large").write_bytes(data)
    kept = keep_files(objects, [str(work / "large")])
    assert keep_files(objects, [str(work / "large")]) == kept
    assert objects.get(kept[str(work / "large")]) == data
    (work / "large").unlink()
    restore_files(objects, kept)
    assert (work / "large").read_bytes() == data


def test_what_cannot_be_kept_says_why(objects: Objects, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "large").write_bytes(b"x" * 11)
    os.mkfifo(work / "pipe")
    monkeypatch.setattr(files, "LARGEST", 10)
    for name, message in {
        "large": "files up to 2 GB are stored",
        "pipe": "not a regular file",
        "none": "cannot be read",
    }.items():
        with pytest.raises(StoreError, match=message):
            keep_files(objects, [str(work / name)])


def test_nothing_is_written_where_an_object_is_missing(objects: Objects, work: Path) -> None:
    (work / "a").write_text("one")
    (work / "b").write_text("two")
    kept = keep_files(objects, [str(work / "a"), str(work / "b")])
    (work / "a").unlink()
    objects.remove(kept[str(work / "b")])
    with pytest.raises(DamagedObjectError, match="missing"):
        restore_files(objects, kept)
    assert not (work / "a").exists()


def test_a_damaged_object_is_never_put_in_place(objects: Objects, work: Path) -> None:
    (work / "a").write_text("one")
    kept = keep_files(objects, [str(work / "a")])
    (work / "a").write_text("own")
    objects.path(kept[str(work / "a")]).write_text("bad")
    with pytest.raises(DamagedObjectError, match="damaged"):
        restore_files(objects, kept)
    assert (work / "a").read_text() == "own"
    assert os.listdir(work) == ["a"]


def test_a_folder_in_the_way_and_a_missing_permission_say_so(objects: Objects, work: Path) -> None:
    (work / "out").mkdir()
    (work / "out/a").write_text("one")
    kept = keep_files(objects, [str(work / "out/a")])
    (work / "out/a").unlink()
    (work / "out").rmdir()
    (work / "out").write_text("a file")
    with pytest.raises(NotWritableError, match="cannot be made"):
        restore_files(objects, kept)


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, jupyter_mlops.capture.results.files; assert not {'numpy', 'sqlalchemy', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
