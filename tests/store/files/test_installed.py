"""Which files are a library's, wherever they lie: what an installer lists is, what merely lies near is not."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlops.store.files import installed
from jupyter_mlops.store.files.installed import distributions, editables, is_installed_file, read_metadata

FILES = ("frames/__init__.py", "frames/io/csv.py", "frames_one.py", "space/frames/__init__.py", "space/frames/a.py")


def install(folder: Path, files: tuple[str, ...] = FILES, info: str = "frames-1.0.dist-info") -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("x = 1\n")
    (folder / info).mkdir()
    (folder / info / "METADATA").write_text("Name: frames\nVersion: 1.0\n")
    lines = [f"{file},sha256=abc,6\n" for file in (*files, f"{info}/METADATA", "../../bin/frames")]
    (folder / info / "RECORD").write_text("".join(lines))
    return folder


def on_path(monkeypatch: pytest.MonkeyPatch, entry: Path) -> Path:
    monkeypatch.syspath_prepend(entry)
    return entry


@pytest.mark.parametrize("file", [*FILES, "frames/data/table.bin"])
def test_what_a_distribution_lists_is_a_librarys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    target = on_path(monkeypatch, install(tmp_path))
    assert is_installed_file(str(target / file))


@pytest.mark.parametrize("file", ["mine.py", "pkg/__init__.py", "space/mine.py", "framesmore.py", "data.csv"])
def test_what_merely_lies_near_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    target = on_path(monkeypatch, install(tmp_path))
    assert not is_installed_file(str(target / file))


def test_it_is_known_of_files_that_were_asked_for_before_the_folder_was_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(install(tmp_path) / "frames/__init__.py")
    assert not is_installed_file(file)
    on_path(monkeypatch, tmp_path)
    assert is_installed_file(file)
    monkeypatch.undo()
    assert is_installed_file(file), "what was imported from there stays a library's"


def test_an_older_installers_list_counts_and_a_folder_in_development_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = on_path(monkeypatch, install(tmp_path, info="frames-1.0.egg-info"))
    (target / "frames-1.0.egg-info/RECORD").rename(target / "frames-1.0.egg-info/SOURCES.txt")
    assert not is_installed_file(str(target / "frames/__init__.py"))
    (target / "frames-1.0.egg-info/installed-files.txt").write_text("../frames/__init__.py\nPKG-INFO\n")
    installed._listed.cache_clear()
    installed._is_installed.cache_clear()
    assert is_installed_file(str(target / "frames/io/csv.py"))


def test_an_archive_on_the_path_may_hold_a_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "plain")
    wheel = tmp_path / "frames-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted((tmp_path / "plain").rglob("*")):
            archive.write(path, path.relative_to(tmp_path / "plain"))
    on_path(monkeypatch, wheel)
    assert distributions(str(wheel)) == {"frames-1.0.dist-info"}
    assert "Version: 1.0" in (read_metadata(str(wheel), "frames-1.0.dist-info", "METADATA") or "")
    assert is_installed_file(f"{wheel}/frames/io/csv.py")
    assert not is_installed_file(f"{wheel}/mine.py")


@pytest.mark.parametrize("name", ["site-packages", "dist-packages"])
def test_all_in_a_folder_for_packages_is_a_librarys(tmp_path: Path, name: str) -> None:
    assert is_installed_file(str(tmp_path / "env/lib/python3.11" / name / "anything.py"))


@pytest.fixture
def interpreter(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Path], None]:
    """Another place for the interpreter and its environment."""

    def placed(base: Path, environment: Path) -> None:
        monkeypatch.setattr(sys, "base_prefix", str(base))
        monkeypatch.setattr(sys, "prefix", str(environment))
        installed.interpreter_folders.cache_clear()
        installed._is_installed.cache_clear()
        monkeypatch.setattr("sysconfig.get_paths", lambda: {"data": str(environment), "stdlib": f"{base}/lib/python"})

    yield placed
    monkeypatch.undo()
    installed.interpreter_folders.cache_clear()
    installed._is_installed.cache_clear()


def test_a_project_beside_or_around_an_environment_is_the_projects(
    tmp_path: Path, interpreter: Callable[[Path, Path], None]
) -> None:
    interpreter(tmp_path / "usr", tmp_path / "project")
    assert is_installed_file(str(tmp_path / "usr/lib/python/os.py"))
    assert not is_installed_file(str(tmp_path / "usr/src/app/model.py"))
    assert not is_installed_file(str(tmp_path / "project/model.py"))
    assert not is_installed_file(str(tmp_path / "project/lib/model.py"))
    assert is_installed_file(str(tmp_path / "project/share/jupyter/kernels/a.json"))


def editable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules: int) -> Path:
    site, source = tmp_path / "site", tmp_path / "repository"
    info = site / "frames-1.0.dist-info"
    info.mkdir(parents=True)
    told = {"url": source.as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(told))
    (info / "RECORD").write_text("__editable__.frames-1.0.pth,,\n")
    for number in range(modules):
        file = source / "src/frames" / (f"part{number}.py" if number else "__init__.py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n")
    (source / "helpers.py").write_text("x = 1\n")
    on_path(monkeypatch, site)
    on_path(monkeypatch, source / "src")
    return source


@pytest.mark.parametrize(("modules", "is_library"), [(3, False), (installed.MOST_FILES + 1, True)])
def test_an_editable_install_elsewhere_is_read_as_ones_own_unless_it_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules: int, is_library: bool
) -> None:
    source = editable(tmp_path, monkeypatch, modules)
    assert editables()["frames-1.0.dist-info"] == str(source)
    assert is_installed_file(str(source / "src/frames/part1.py")) is is_library
    assert not is_installed_file(str(source / "helpers.py"))


def test_an_editable_install_in_a_project_is_the_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = editable(tmp_path, monkeypatch, installed.MOST_FILES + 1)
    (tmp_path / ".mlops").mkdir()
    assert "frames-1.0.dist-info" not in editables()
    assert not is_installed_file(str(source / "src/frames/part1.py"))


def test_the_content_of_an_editable_install_tells_of_an_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = editable(tmp_path, monkeypatch, 3)
    before = installed.editable_content(str(source))
    assert installed.editable_content(str(source)) == before
    (source / "data.csv").write_text("1")
    assert installed.editable_content(str(source)) == before
    (source / "src/frames/part1.py").write_text("x = 2\n")
    os.utime(source / "src/frames/part1.py", ns=(1, 1))
    assert installed.editable_content(str(source)) != before
