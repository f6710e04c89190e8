"""Environments as people have them, each with the packages of this one in reach and a library of its own in a folder for
packages: that of a virtual environment, of another prefix as conda makes them, of the system below an environment."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"lib/{NAME}/site-packages"
MODULES = 150


@dataclass(frozen=True)
class Layout:
    """An interpreter to start, the variables it needs, and the folder where libraries are installed."""

    python: Path
    site: Path
    environment: dict[str, str] = field(default_factory=dict)


def plain(root: Path) -> Layout:
    """A virtual environment with the library in it."""
    prefix = _environment(root / "plain", Path(sys.base_prefix), system=False)
    _give_packages(prefix / SITE)
    return Layout(prefix / "bin" / "python", prefix / SITE)


def other_prefix(root: Path) -> Layout:
    """A virtual environment, and the library in the prefix of a conda environment, on `PYTHONPATH`."""
    layout = plain(root / "mine")
    conda = root / "conda"
    (conda / "conda-meta").mkdir(parents=True)
    (conda / "conda-meta" / "history").touch()
    (conda / SITE).mkdir(parents=True)
    return Layout(layout.python, conda / SITE, {"PYTHONPATH": str(conda / SITE)})


def target(root: Path) -> Layout:
    """A virtual environment, and the library where `pip install --target` put it, on `PYTHONPATH`."""
    layout = plain(root / "mine")
    (root / "target").mkdir()
    return Layout(layout.python, root / "target", {"PYTHONPATH": str(root / "target")})


def conda_prefix(root: Path) -> Layout:
    """A prefix that is the interpreter's own and no virtual environment, as conda makes it."""
    base = _base(root / "conda")
    (base / "conda-meta").mkdir()
    (base / "conda-meta" / "history").touch()
    _give_packages(base / SITE)
    return Layout(base / "bin" / "python", base / SITE, {"PYTHONHOME": str(base)})


def system_site(root: Path) -> Layout:
    """An environment made with `--system-site-packages`, and the library in the system's folder."""
    base = _base(root / "usr")
    _give_packages(base / SITE)
    prefix = _environment(root / "env", base, system=True)
    return Layout(prefix / "bin" / "python", base / SITE)


def above_system_site(root: Path) -> Layout:
    """The same with the library in the environment."""
    layout = system_site(root)
    return Layout(layout.python, layout.python.parent.parent / SITE)


LAYOUTS: dict[str, Callable[[Path], Layout]] = {
    "target": target,
    "other prefix": other_prefix,
    "conda": conda_prefix,
    "system site": system_site,
    "above system site": above_system_site,
}


def _environment(prefix: Path, base: Path, *, system: bool) -> Path:
    (prefix / SITE).mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    shared = "true" if system else "false"
    (prefix / "pyvenv.cfg").write_text(f"home = {base / 'bin'}\ninclude-system-site-packages = {shared}\n")
    return prefix


def _base(prefix: Path) -> Path:
    """An installation of the interpreter, with its own folder for packages."""
    standard = Path(sysconfig.get_path("stdlib"))
    (prefix / SITE).mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    (prefix / "bin" / NAME).symlink_to(os.path.realpath(sys.executable))
    for entry in standard.iterdir():
        if entry.name != "site-packages":
            (prefix / "lib" / NAME / entry.name).symlink_to(entry)
    return prefix


def _give_packages(site: Path) -> None:
    """The packages of this environment, as if they were installed there."""
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        (site / entry.name).symlink_to(entry)


def install(site: Path, name: str, version: str, answer: int, modules: int = MODULES) -> None:
    """Install a library of many modules, whose `answer()` is told by its version; one that is there is replaced."""
    for info in site.glob(f"{name}-*.dist-info"):
        for file in info.iterdir():
            file.unlink()
        info.rmdir()
    package = site / name
    package.mkdir(exist_ok=True)
    parts = "".join(f"from {name} import part{number}\n" for number in range(modules))
    (package / "__init__.py").write_text(f"{parts}def answer():\n    return {answer}\n")
    body = "".join(f"def f{number}(x):\n    return [x + {number} for _ in range(3)]\n" for number in range(40))
    for number in range(modules):
        (package / f"part{number}.py").write_text(f"import {name}\ntable = {{}}\n{body}")
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    files = [f"{name}/__init__.py", *(f"{name}/part{number}.py" for number in range(modules))]
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in (*files, f"{info.name}/METADATA")))


def install_editable(site: Path, name: str, source: Path, answer: int) -> None:
    """Install a small library from the folder it is developed in."""
    (source / name).mkdir(parents=True, exist_ok=True)
    (source / name / "__init__.py").write_text(f"def answer():\n    return {answer}\n")
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (site / f"_editable_{name}.pth").write_text(f"{source}\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "direct_url.json").write_text(json.dumps({"url": source.as_uri(), "dir_info": {"editable": True}}))
    (info / "RECORD").write_text(f"_editable_{name}.pth,,\n")
