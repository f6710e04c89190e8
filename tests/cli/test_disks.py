"""Verbs typed on a disk that takes nothing: those that read answer, those that write say what to do."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from disks import KINDS, Disk, disk_of
from keeping import add_result, add_run
from notebooks import code, write_notebook

from jupyter_mlops.cli.main import main
from jupyter_mlops.store.store import Store

READING = (
    *("status", "runs", "why train", "plan", "steps", "log train", "jobs list", "jobs show 1", "schedule list"),
    *(
        "store verify",
        "store status",
        "runs compare 1 2",
        "params nb.ipynb",
        "notices",
        "deps train",
        "restore train 1",
    ),
)
WRITING = (
    *("run nb.ipynb", "submit nb.ipynb", "graph", "store export all.tgz", "store export all.zip", "store recover"),
    "restore train 1 -o step.py",
)
TOLD = {"full": ("Free some disk space", "intact"), "read-only": ("write permission",)}


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    yield from disk_of(request.param, tmp_path)


@pytest.mark.parametrize("how", TOLD)
def test_verbs_on_a_disk_that_takes_nothing(
    disk: Disk, how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notebook(disk.root / "nb.ipynb", code("%%step train\nx = 1"))
    with Store.open(disk.root) as store:
        made = [add_run(store), add_run(store)]
        add_result(store)
        before = [run.number for run in store.runs.list()]
    monkeypatch.chdir(disk.root)
    disk.fill() if how == "full" else disk.lock()
    for line in READING:
        assert main(line.split()) == 0, (line, capsys.readouterr())
        shown = capsys.readouterr()
        assert (bool(shown.out), shown.err) == (True, ""), line
    for line in WRITING:
        ended = main(line.split())
        shown = capsys.readouterr()
        assert ended == 1, (line, shown)
        assert all(words in shown.err for words in ("Error:", "Hint:", *TOLD[how])), (line, shown.err)
    disk.free()
    with Store.open(disk.root) as store:
        assert [run.number for run in store.runs.list()] == before
        assert {run.id for run in made} <= {run.id for run in store.runs.list()}
    assert main(["store", "verify"]) == 0
    assert not list(disk.root.rglob("*.tmp"))


def as_a_user() -> None:
    """Let permissions count for this process and what it executes, whoever it runs as."""
    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None, use_errno=True).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def typed(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jupyter_mlops.cli.main", *line.split()]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, preexec_fn=as_a_user)


def test_of_a_project_that_one_may_only_read_all_is_shown_and_of_one_that_one_may_not_it_is_said(
    tmp_path: Path,
) -> None:
    write_notebook(tmp_path / "nb.ipynb", code("%%step train\nx = 1"))
    with Store.open(tmp_path) as store:
        add_run(store)
    folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in (*folders, *files):
        path.chmod(0o555)
    for line in ("runs", "status", "store verify"):
        shown = typed(tmp_path, line)
        assert (shown.returncode, shown.stderr) == (0, ""), line
    shown = typed(tmp_path, "run nb.ipynb")
    assert (shown.returncode, "not writable" in shown.stderr, "write permission" in shown.stderr) == (1, True, True)
    for path in (*files, *folders):
        path.chmod(0o755)
    (tmp_path / ".mlops").chmod(0)
    for line in ("runs", "status", "store verify", "run nb.ipynb"):
        shown = typed(tmp_path, line)
        assert shown.returncode == 1, line
        assert "Traceback" not in shown.stderr
        assert f"{tmp_path / '.mlops'}' cannot be" in shown.stderr, line
        assert "Hint: Give yourself read " in shown.stderr, line
    (tmp_path / ".mlops").chmod(0o700)
    assert typed(tmp_path, "store verify").returncode == 0


@pytest.mark.parametrize("line", ["run nosuch.ipynb", "submit nosuch.ipynb", "schedule add nosuch.ipynb --cron @daily"])
def test_nothing_is_made_for_a_notebook_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(line.split()) == 2
    assert "There is no notebook named" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_of_an_index_that_a_full_disk_left_empty_no_schema_is_told(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (disk.root / ".mlops").mkdir()
    (disk.root / ".mlops" / "index.db").touch()
    monkeypatch.chdir(disk.root)
    disk.lock()
    assert main(["runs"]) == 1
    told = capsys.readouterr().err
    assert "It is empty, and must be made before it can be read." in told
    assert "write permission" in told
    disk.free()
    assert main(["runs"]) == 0
