"""Which packages' versions a result depends on."""

from __future__ import annotations

import json
import sys
import types
import zipfile
from pathlib import Path

import pytest

from jupyter_mlops.capture.key import environment
from jupyter_mlops.capture.key.environment import packages_digest, versions_digest


def install(folder: Path, name: str, version: str, *requires: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    head = "".join(f"Requires-Dist: {line}\n" for line in requires)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n{head}\nRequires-Dist: never\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.setattr(environment, "_GLANCE_SECONDS", 1e-9)
    install(tmp_path, "plots", "1.0", "Num_Py>=1", 'fast-math; extra == "speed"', 'checker; extra == "tests"')
    install(tmp_path, "num_py", "2.0")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "counts"),
    [("other", False), ("never", False), ("checker", False), ("fast_math", True)],
)
def test_what_is_installed_besides_counts_where_the_package_may_use_it(site: Path, name: str, counts: bool) -> None:
    before = versions_digest(["plots"])
    install(site, name, "1.0")
    assert (versions_digest(["plots"]) != before) is counts


def test_another_version_of_what_a_package_requires_counts(site: Path) -> None:
    before = versions_digest(["plots"])
    (site / "num_py-2.0.dist-info").rename(site / "num_py-2.1.dist-info")
    assert versions_digest(["plots"]) != before


def test_where_it_is_not_known_what_gives_a_package_all_count(site: Path) -> None:
    assert versions_digest(["nosuch"]) == packages_digest()
    assert versions_digest([]) != packages_digest()


def test_what_only_conda_lists_counts_where_it_is_not_known_what_gives_a_package(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = site / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    records = site / "conda-meta"
    records.mkdir()
    (records / "chem-1.0-h1.json").touch()
    install(packages, "frames", "1.0")
    monkeypatch.setattr("sys.path", [str(packages)])
    before, known = versions_digest(["chem"]), versions_digest(["frames"])
    (records / "chem-1.0-h1.json").rename(records / "chem-1.1-h1.json")
    assert versions_digest(["chem"]) != before
    assert versions_digest(["frames"]) == known


def test_a_version_counts_in_a_folder_or_an_archive_on_the_path_as_anywhere(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_target(entry: Path) -> str:
        monkeypatch.setattr("sys.path", [str(entry), str(site)])
        return versions_digest(["frames"])

    def installed(version: str) -> Path:
        target = site / f"target {version}"
        target.mkdir()
        install(target, "frames", version, "num_py")
        return target

    found = {with_target(installed("1.0")), with_target(installed("1.1"))}
    for version in ("1.0", "1.1"):
        wheel = site / f"{version}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"frames-{version}.dist-info/METADATA", "Name: frames\nRequires-Dist: num_py\n\n")
        found.add(with_target(wheel))
    assert len(found) == 2


def test_of_a_package_in_development_the_sources_count_and_an_edit_after_its_import_is_told(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "frames", "1.0")
    source = site / "repository" / "frames"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("x = 1\n")
    told = {"url": source.parent.as_uri(), "dir_info": {"editable": True}}
    (site / "frames-1.0.dist-info" / "direct_url.json").write_text(json.dumps(told))
    monkeypatch.setitem(sys.modules, "frames", types.ModuleType("frames"))
    monkeypatch.setattr(environment, "_loaded_as", {})
    before = versions_digest(["frames"])
    assert environment.changed_since_loaded(["frames", "plots"]) == []
    (source / "__init__.py").write_text("x = 1 + 1\n")
    assert versions_digest(["frames"]) != before
    assert environment.changed_since_loaded(["frames", "plots"]) == ["frames"]
