"""What a step does to the world, seen by the audit hook."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlops.capture.observe.watch import StepWatch, is_library_file
from jupyter_mlops.domain.reason_text import phrases
from jupyter_mlops.store.files.digests import file_digest


def watched(work: Callable[[], object], *ignored: Path) -> StepWatch:
    watch = StepWatch(ignored)
    with watch:
        work()
    return watch


def test_files_read_and_written_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("x")
    seen = watched(lambda: (tmp_path / "out").write_text((tmp_path / "in").read_text())).seen
    assert seen.reads == {str(tmp_path / "in")}
    assert seen.writes == {str(tmp_path / "out")}
    assert seen.reasons == []


@pytest.mark.parametrize("mode", ["a", "r+", "x", "wb"])
def test_every_mode_that_may_write_is_a_write(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "file"
    if mode != "x":
        path.touch()
    assert watched(lambda: open(path, mode).close()).seen.writes == {str(path)}


def test_paths_are_absolute_as_the_working_folder_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").write_text("x")
    assert watched(lambda: Path("in").read_text()).seen.reads == {str(tmp_path / "in")}


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: os.remove(folder / "a"),
        lambda folder: os.rename(folder / "a", folder / "b"),
        lambda folder: os.mkdir(folder / "c"),
        lambda folder: os.truncate(folder / "a", 0),
        lambda folder: os.symlink(folder / "a", folder / "d"),
        lambda folder: os.chmod(folder / "a", 0o600),
    ],
)
def test_changes_of_files_and_folders_are_writes(tmp_path: Path, change: Callable[[Path], object]) -> None:
    (tmp_path / "a").touch()
    writes = watched(lambda: change(tmp_path)).seen.writes
    assert writes
    assert all(path.startswith(str(tmp_path)) for path in writes)


@pytest.mark.parametrize("look", [os.listdir, lambda path: list(os.scandir(path)), lambda path: list(path.glob("*"))])
def test_looking_into_a_folder_is_a_condition(tmp_path: Path, look: Callable[[Path], object]) -> None:
    assert watched(lambda: look(tmp_path)).seen.looked[str(tmp_path)] == file_digest(str(tmp_path))


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (lambda: subprocess.run([sys.executable, "-c", ""], check=True), "starts a process"),
        (lambda: os.system("true"), "starts a process"),
        (lambda: socket.getaddrinfo("127.0.0.1", 80), "talks to the network"),
        (lambda: sqlite3.connect(f"file:{os.devnull}?mode=ro", uri=True).close(), "reads a database"),
    ],
)
def test_what_reaches_beyond_the_process_is_a_reason(work: Callable[[], object], reason: str) -> None:
    assert reason in phrases(watched(work).seen.reasons)


def test_a_database_in_memory_is_none() -> None:
    assert watched(lambda: sqlite3.connect(":memory:").close()).seen.reasons == []


def test_our_own_folder_libraries_and_devices_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "x").touch()

    def work() -> None:
        (tmp_path / "x").read_bytes()
        (tmp_path / "y").write_bytes(b"")
        Path(os.__file__).read_bytes()
        Path(os.devnull).read_bytes()

    seen = watched(work, tmp_path).seen
    assert (seen.reads, seen.writes) == (set(), set())


def test_an_import_is_keyed_as_a_module_not_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlops_watched_module.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    seen = watched(lambda: __import__("mlops_watched_module")).seen
    assert (seen.reads, seen.reasons) == (set(), [])


def test_nothing_is_seen_once_the_step_is_over(tmp_path: Path) -> None:
    watch = watched(lambda: None)
    (tmp_path / "late").touch()
    assert watch.seen.writes == set()


def test_files_of_packages_are_told_from_those_of_the_project(tmp_path: Path) -> None:
    assert is_library_file(str(pytest.__file__))
    assert is_library_file(os.__file__)
    assert not is_library_file(str(tmp_path / "module.py"))
