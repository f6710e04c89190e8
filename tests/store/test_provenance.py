"""Where a run comes from: git and the environment."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

import pytest

from jupyter_mlops.store.objects import Objects
from jupyter_mlops.store.provenance import git_tags, keep_environment


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    def git(*words: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "trunk")
    (tmp_path / "a").write_text("one")
    git("add", "a")
    git("commit", "-q", "-m", "first")
    return tmp_path


def test_a_clean_and_a_dirty_checkout_are_told_apart(repository: Path) -> None:
    tags = git_tags(repository)
    assert len(tags.pop("git.commit")) == 40
    assert tags == {"git.branch": "trunk", "git.dirty": "false"}
    (repository / "a").write_text("two")
    assert git_tags(repository)["git.dirty"] == "true"


def test_a_folder_without_git_has_no_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_tags(tmp_path) == {}


def test_a_machine_without_git_has_no_tags(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_tags(repository) == {}


def test_the_environment_is_kept_as_json_of_this_interpreter_and_its_packages(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    found = json.loads(objects.get(keep_environment(objects)))
    assert found["python"] == platform.python_version()
    assert any(package.lower().startswith("sqlalchemy==") for package in found["packages"])
    assert keep_environment(objects) == keep_environment(objects)
