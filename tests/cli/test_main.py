"""`jupyter mlops`: exit codes, where errors and answers go, and JSON on every listing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops import __version__
from jupyter_mlops.cli.main import main
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store import open_store

NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": "a",
            "source": "%%step load\nx = 1",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
    ],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nb.ipynb").write_text(json.dumps(NOTEBOOK))
    with open_store(tmp_path) as store:
        now = store.now()
        store.runs.create(Run(store.new_id(), 0, "job", "nb.ipynb", Status.COMPLETED, created_at=now))
        store.steps.version("nb.ipynb", "load", "d1", "x = 1", now=now)
        store.steps.version("nb.ipynb", "load", "d2", "x = 2", now=now)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "line", ["status", "steps", "log load", "diff load 1 2", "runs", "why load", "help", "help log", "templates"]
)
def test_every_listing_is_a_table_or_json_and_ends_with_0(
    project: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert main(line.split()) == 0
    plain = capsys.readouterr()
    assert plain.out.strip()
    assert plain.err == ""
    assert main([*line.split(), "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) is not None
    assert shown.err == ""


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("nosuch", "There is no verb named 'nosuch'.", "Known:"),
        ("statsu", "There is no verb named 'statsu'.", "Did you mean 'status'?"),
        ("log laod", "There is no step named 'laod'.", "Did you mean 'load'?"),
        ("diff load 1 7", "There is no version of 'load' named '7'.", "Known: v1, v2."),
        ("status nosuch.ipynb", "There is no notebook named", "Did you mean 'nb.ipynb'?"),
        ("runs compare 1 2", "There is no run named '2'.", "Known: 1."),
        ("log", "The following arguments are required: step.", "usage: jupyter mlops log"),
        ("runs --limit x", "Argument -n/--limit: 'x' is not a whole number from 1 to", "usage: jupyter mlops runs"),
        ("form", "There is no verb named 'form'.", ""),
    ],
)
def test_what_was_asked_wrongly_ends_with_2_and_says_the_mend_on_stderr(
    project: Path, capsys: pytest.CaptureFixture[str], line: str, message: str, hint: str
) -> None:
    assert main(line.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    error, told = shown.err.split("\n", 1)
    assert error.startswith(f"Error: {message}")
    assert told.startswith(f"Hint: {hint}")
    assert "Traceback" not in shown.err


def test_a_folder_without_a_project_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["runs"]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("Error: There is no project at or above")
    assert "Hint: A project is made on first use" in shown.err
    assert list(tmp_path.iterdir()) == []


def test_what_failed_ends_with_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / ".mlops" / "index.db").write_bytes(b"this is no database at all " * 400)
    for name in ("index.db-wal", "index.db-shm"):
        (project / ".mlops" / name).unlink(missing_ok=True)
    for line in ("runs", "steps", "status"):
        assert main([line]) == 1
        shown = capsys.readouterr()
        assert "Error: The index" in shown.err
        assert "is damaged: file is not a database" in shown.err
        assert "Hint: `jupyter mlops store recover`" in shown.err


def test_a_newer_index_ends_with_1_and_says_to_upgrade(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(project) as store, store.index.write() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    assert main(["runs"]) == 1
    assert "pip install -U jupyter-mlops" in capsys.readouterr().err


def test_names_that_look_like_markup_are_shown_as_they_are(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "[red]x[/]"]) == 2
    assert "named '[red]x[/]'" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"
    shown = []
    for words in (["--help"], ["-h"], ["help"], []):
        assert main(words) == 0
        shown.append(capsys.readouterr().out)
    assert len(set(shown)) == 1
    assert "status" in shown[0]


def test_a_verbs_own_help_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["runs", "--help"])
    assert caught.value.code == 0
    assert "usage: jupyter mlops runs" in capsys.readouterr().out


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupyter_mlops.cli.main", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1", "TERM": "dumb"},
    )


def test_as_a_process_it_gives_the_same_codes_and_streams(project: Path) -> None:
    good, usage = run(project, "runs"), run(project, "runs", "--nosuch")
    assert (good.returncode, good.stderr) == (0, "")
    assert "#1" in good.stdout
    assert (usage.returncode, usage.stdout) == (2, "")
    assert usage.stderr.splitlines()[0] == "Error: Unrecognized arguments: --nosuch."


def test_a_long_line_is_not_broken_where_output_is_no_terminal(project: Path) -> None:
    with open_store(project) as store:
        name = "x" * 70
        store.runs.create(Run(store.new_id(), 0, "job", f"{name}.ipynb", Status.COMPLETED, created_at=store.now()))
    assert any("#2" in line and f"{name}.ipynb" in line for line in run(project, "runs").stdout.splitlines())


def test_a_reader_that_goes_away_is_no_traceback(project: Path) -> None:
    command = f'"{sys.executable}" -m jupyter_mlops.cli.main help | head -n 0'
    done = subprocess.run(["/bin/sh", "-c", command], cwd=project, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
