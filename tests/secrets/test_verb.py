"""`jupyter mlops secrets`: values come by stdin or prompt, never by the command line, and are never shown."""

from __future__ import annotations

import getpass
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops.cli.main import main

VALUE = "value-nobody-sees"


@pytest.fixture(autouse=True)
def in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    return project


def secrets(*words: str, monkeypatch: pytest.MonkeyPatch, typed: str = "") -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    return main(["secrets", *words])


def test_a_value_read_from_stdin_is_kept_listed_checked_and_forgotten_unseen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_places: Path
) -> None:
    assert secrets("set", "TOKEN", typed=f"{VALUE}\n", monkeypatch=monkeypatch) == 0
    assert (own_places / "secrets.toml").read_text().endswith(f'TOKEN = "{VALUE}"\n')
    assert secrets("list", monkeypatch=monkeypatch) == 0
    assert secrets("check", "TOKEN", monkeypatch=monkeypatch) == 0
    assert secrets("check", "TOKEN", "OTHER", monkeypatch=monkeypatch) == 1
    assert secrets("list", "--json", monkeypatch=monkeypatch) == 0
    assert secrets("remove", "TOKEN", monkeypatch=monkeypatch) == 0
    assert secrets("remove", "TOKEN", monkeypatch=monkeypatch) == 2
    shown = "".join(capsys.readouterr())
    assert VALUE not in shown
    assert "TOKEN" in shown
    assert "not found in any place" in shown
    assert "There is no secret named 'TOKEN'" in shown


def test_a_projects_secret_is_in_the_folder_that_git_ignores(
    monkeypatch: pytest.MonkeyPatch, in_a_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert secrets("set", "TOKEN", "--in", "project", typed=VALUE, monkeypatch=monkeypatch) == 0
    assert (in_a_project / ".mlops" / ".gitignore").read_text() == "*\n"
    assert (in_a_project / ".mlops" / "secrets").stat().st_mode & 0o777 == 0o600
    capsys.readouterr()
    assert secrets("list", "--json", monkeypatch=monkeypatch) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["name"], listed["place"], listed["hidden"]) == ("TOKEN", "project", False)


@pytest.mark.parametrize("words", [("TOKEN", VALUE), ("TOKEN", VALUE, "more"), (f"TOKEN={VALUE}",)])
def test_a_value_on_the_command_line_is_refused_and_not_repeated(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_places: Path
) -> None:
    assert secrets("set", *words, typed=VALUE, monkeypatch=monkeypatch) == 2
    assert VALUE not in "".join(capsys.readouterr())
    assert not (own_places / "secrets.toml").exists()


def test_at_a_terminal_the_value_is_asked_for_and_not_echoed(own_places: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_mlops.cli.main", "secrets", "set", "TOKEN"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while b"Value of TOKEN" not in shown:
        shown += os.read(ours, 1024)
    os.write(ours, f"{VALUE}\n".encode())
    assert process.wait(60) == 0
    try:
        while piece := os.read(ours, 1024):
            shown += piece
    except OSError:  # the other side is closed
        os.close(ours)
    assert VALUE.encode() not in shown
    assert f'TOKEN = "{VALUE}"' in (own_places / "secrets.toml").read_text()


def test_what_a_kernel_would_not_find_is_told_with_its_mend(
    monkeypatch: pytest.MonkeyPatch, user_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user_file.chmod(0o644)
    assert secrets("check", monkeypatch=monkeypatch) == 1
    shown = capsys.readouterr().out
    assert "others may read" in shown
    assert "chmod 600" in shown


def test_a_variable_that_hides_another_place_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLOPS_SECRET_TOKEN", "of the environment")
    assert secrets("set", "TOKEN", typed="abc", monkeypatch=monkeypatch) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "takes precedence" in shown
    assert "shorter than 4 characters" in shown
    assert secrets("list", monkeypatch=monkeypatch) == 0
    assert "(not used: see above)" in capsys.readouterr().out
    assert secrets("remove", "TOKEN", monkeypatch=monkeypatch) == 0
    assert secrets("remove", "TOKEN", monkeypatch=monkeypatch) == 2
    assert "Unset it where it is set" in " ".join(capsys.readouterr().err.split())


def test_in_a_notebook_the_value_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, in_a_project: Path, own_places: Path
) -> None:
    from rich.console import Console

    from jupyter_mlops.verbs import table
    from jupyter_mlops.verbs.framework.verb import MAGIC, Context

    monkeypatch.setattr(getpass, "getpass", lambda prompt: VALUE)
    context = Context(MAGIC, in_a_project, Console())
    table.call(["secrets", "set", "TOKEN"], context, "%mlops")
    assert VALUE in (own_places / "secrets.toml").read_text()
