"""Which packages' versions a result depends on."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.capture import environment
from jupyter_mlops.capture.environment import packages_digest, versions_digest


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
