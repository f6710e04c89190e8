"""Where a run comes from: git and the environment."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlops.store.objects.local import Objects
from jupyter_mlops.store.project import provenance
from jupyter_mlops.store.project.provenance import git_tags, keep_environment


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


def test_a_commit_without_a_branch_and_files_git_does_not_know(repository: Path) -> None:
    subprocess.run(["git", "checkout", "-q", "--detach"], cwd=repository, check=True)
    (repository / "unknown").write_text("to git")
    assert {name: git_tags(repository)[name] for name in ("git.branch", "git.dirty")} == {
        "git.branch": "HEAD",
        "git.dirty": "false",
    }


def test_a_repository_without_a_commit_has_no_tags(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert git_tags(tmp_path) == {}


def test_where_the_changes_take_too_long_the_commit_is_told(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = provenance._git
    monkeypatch.setattr(provenance, "_git", lambda folder, *words: None if "status" in words else ask(folder, *words))
    tags = git_tags(repository)
    assert len(tags.pop("git.commit")) == 40
    assert tags == {"git.branch": "trunk", "git.dirty": "unknown"}


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


def test_packages_are_looked_up_anew_only_in_a_folder_that_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    real = importlib.metadata.distributions
    monkeypatch.setattr(
        importlib.metadata, "distributions", lambda **given: looked.extend(given["path"]) or real(**given)
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "none")])
    for folder, name in (("one", "Some-Thing"), ("two", "other")):
        info = tmp_path / folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n\nName: not this\n")
    assert provenance.environment()["packages"] == ["other==1.0", "Some-Thing==1.0"]
    assert len(looked) == 2
    provenance.environment()
    assert len(looked) == 2
    old = tmp_path / "two" / "third-2.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Name: third\nVersion: 2\n")
    os.utime(tmp_path / "two", (1, 1))
    assert provenance.environment()["packages"] == ["other==1.0", "Some-Thing==1.0", "third==2"]
    assert looked[2:] == [str(tmp_path / "two")]


def test_packages_are_those_that_importlib_tells() -> None:
    theirs = {
        f"{each.metadata['Name']}=={each.version}"
        for each in importlib.metadata.distributions()
        if each.metadata["Name"]
    }
    assert set(provenance.environment()["packages"]) == theirs
