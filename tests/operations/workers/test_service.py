"""The systemd units of a project: what they say, and where they go."""

from __future__ import annotations

import configparser
import shlex
import sys
from pathlib import Path

import pytest

from jupyter_mlops.errors import InputError
from jupyter_mlops.operations.workers import service


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "systemd" / "user"


def test_units_call_worker_and_scheduler_in_the_project(tmp_path: Path, home: Path) -> None:
    worker, scheduler = service.units(tmp_path / "my project", slots=3)
    found = configparser.ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string(worker.text)
    assert shlex.split(found["Service"]["ExecStart"]) == [
        *(sys.executable, "-m", "jupyter_mlops.cli.main", "worker", "--slots", "3")
    ]
    assert found["Service"]["WorkingDirectory"] == str(tmp_path / "my project")
    assert found["Service"]["Restart"] == "on-failure"
    assert worker.file == home / worker.name
    assert worker.name.startswith("mlops-worker-my-project-")
    assert scheduler.text.splitlines()[7].endswith("jupyter_mlops.cli.main scheduler")


def test_two_projects_of_one_name_have_units_of_their_own(tmp_path: Path) -> None:
    names = {unit.name for folder in ("a", "b") for unit in service.units(tmp_path / folder / "project")}
    assert len(names) == 4


def test_what_systemd_would_take_for_its_own_is_escaped(tmp_path: Path) -> None:
    worker, _ = service.units(tmp_path / "100%")
    assert f"WorkingDirectory={tmp_path}/100%%" in worker.text


def test_without_systemd_nothing_is_written(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no systemd"):
        service.install(tmp_path)
    assert not home.exists()
    assert {unit.state for unit in service.status(tmp_path)} == {"not installed"}
    assert service.uninstall(tmp_path) == ()


def test_units_are_installed_started_told_and_removed(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "systemctl"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ "$2" != is-active ] || echo active\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/bin:/usr/bin")
    installed = service.install(tmp_path)
    assert {unit.state for unit in installed} == {"active"}
    assert all(unit.file.read_text() == unit.text for unit in installed)
    calls = (tmp_path / "calls").read_text()
    for unit in installed:
        assert f"--user enable --now {unit.name}" in calls
    assert [unit.name for unit in service.uninstall(tmp_path)] == [unit.name for unit in installed]
    assert list(home.iterdir()) == []
    assert f"--user disable --now {installed[0].name}" in (tmp_path / "calls").read_text()
