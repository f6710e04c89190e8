"""The interpreter and the packages a result depends on: those that are used, and all that these may require."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
import sysconfig
import time
from collections.abc import Iterable
from functools import lru_cache

import xxhash

from jupyter_mlops.store.files.installed import (
    conda_folder,
    conda_records,
    distributions,
    editable_content,
    editables,
    read_metadata,
)


def python_minor() -> str:
    """Implementation and minor version, such as "CPython 3.11"."""
    return f"{platform.python_implementation()} {sys.version_info.major}.{sys.version_info.minor}"


def packages_digest() -> str:
    """A digest of the names and versions of all installed packages, from their `.dist-info` folders and conda's list."""
    names: set[str] = set()
    for entry in filter(None, sys.path):
        names |= _packages_in(entry) | conda_records(entry)
    return _digest(frozenset(names | {f"{name} {_content(name)}" for name in _in_development()}))


def versions_digest(packages: Iterable[str]) -> str:
    """A digest of the versions of what gives these top-level packages, and of all that it may require and is installed.

    Where it is not known what gives one of them, all installed packages count.
    """
    found, developed = _versions(tuple(packages), _marks(tuple(sys.path), _moment()))
    if not developed:
        return found
    return _digest(frozenset((found, *(f"{name} {_content(name)}" for name in developed))))


def changed_since_loaded(packages: Iterable[str]) -> list[str]:
    """Which of these top-level packages, in development, are loaded as they were before an edit of their sources."""
    changed = []
    developed = _in_development()
    for package in packages if developed else ():
        name = next((name for name in developed if _normal(name.partition("-")[0]) == _given_by(package)), None)
        if name is not None and package in sys.modules:
            content = _content(name)
            if _loaded_as.setdefault(name, content) != content:
                changed.append(package)
    return changed


_loaded_as: dict[str, str] = {}
"""What the sources of packages in development were when they were first seen loaded."""


_GLANCE_SECONDS = 0.1
"""How long what was seen of the folders of packages holds: a plan of many steps looks once."""


def _moment() -> int:
    return int(time.monotonic() / _GLANCE_SECONDS)


def _in_development() -> dict[str, str]:
    """Distributions that stand for themselves by what their sources are, not by a version → the folder of these."""
    return _in_development_on(tuple(sys.path), _moment())


@lru_cache(maxsize=2)
def _in_development_on(_path: tuple[str, ...], _moment: int) -> dict[str, str]:
    return {name: place for name, place in editables().items() if not name.startswith(_OURS)}


def _content(name: str) -> str:
    return _content_at(_in_development()[name], _moment())


@lru_cache(maxsize=32)
def _content_at(place: str, _moment: int) -> str:
    return xxhash.xxh3_128_hexdigest(editable_content(place).encode("utf-8", "surrogateescape"))


@lru_cache(maxsize=2)
def _marks(path: tuple[str, ...], _moment: int) -> tuple[tuple[str, int], ...]:
    marks = []
    for entry in path:
        for folder in (entry, conda_folder(entry)) if entry not in _WITHOUT_PACKAGES else ():
            with contextlib.suppress(OSError):
                if folder:
                    marks.append((folder, os.stat(folder).st_mtime_ns))
    return tuple(marks)


def _standard_library() -> set[str]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    archive = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    beside = {os.path.join(os.path.dirname(folder), archive) for folder in folders}
    return folders | beside | {os.path.join(folder, "lib-dynload") for folder in folders}


_WITHOUT_PACKAGES = _standard_library()
"""Entries of the import path in which nothing is installed: each look at one lets other threads go first."""


@lru_cache(maxsize=256)
def _versions(packages: tuple[str, ...], marks: tuple[tuple[str, int], ...]) -> tuple[str, tuple[str, ...]]:
    """The digest, and which of the distributions that it tells of are in development."""
    installed = _installed(marks)
    waiting = [_given_by(package) for package in packages]
    if any(name not in installed for name in waiting):
        return packages_digest(), ()
    distributions = {installed[name][1] for name in ("ipython",) if name in installed}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in installed and name not in seen:
            seen.add(name)
            distributions.add(installed[name][1])
            waiting += _required_by(*installed[name])
    return _digest(frozenset(distributions)), tuple(sorted(distributions & _in_development().keys()))


def _given_by(package: str) -> str:
    return _normal(_GIVEN_BY.get(package, package))


_GIVEN_BY = {
    "sklearn": "scikit-learn", "skimage": "scikit-image", "PIL": "pillow", "cv2": "opencv-python", "yaml": "pyyaml",
    "bs4": "beautifulsoup4", "dateutil": "python-dateutil", "mpl_toolkits": "matplotlib", "IPython": "ipython",
    "dotenv": "python-dotenv", "pylab": "matplotlib",
}  # fmt: skip
"""Packages that do not have the name of what is installed for them."""


_NOT_FOR_USE = ("test", "dev", "doc", "build", "lint", "all", "bench", "maint", "install", "ci", "type", "mypy")
"""How the extras begin that only those need who work on a package."""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@lru_cache(maxsize=4)
def _installed(marks: tuple[tuple[str, int], ...]) -> dict[str, tuple[str, str]]:
    """Distribution → the entry of the path it is in, and the name of its metadata; of two the one that is found first."""
    installed: dict[str, tuple[str, str]] = {}
    for entry, _ in marks:
        for name in _packages_in(entry):
            installed.setdefault(_normal(name.removesuffix(".egg-info").partition("-")[0]), (entry, name))
    return installed


@lru_cache(maxsize=512)
def _required_by(entry: str, name: str) -> tuple[str, ...]:
    """What a distribution may require, under whatever condition, from the head of its metadata."""
    text = read_metadata(entry, name, "METADATA") or read_metadata(entry, name, "PKG-INFO") or ""
    names = []
    for line in text.partition("\n\n")[0].splitlines():
        match = re.match(r"Requires-Dist:\s*([\w.-]+)", line)
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", line)
        if match is not None and (extra is None or not extra[1].startswith(_NOT_FOR_USE)):
            names.append(_normal(match[1]))
    return tuple(names)


def _packages_in(entry: str) -> frozenset[str]:
    return frozenset(name for name in distributions(entry) if not name.startswith(_OURS))


_OURS = "jupyter_mlops-"


@lru_cache(maxsize=16)
def _digest(names: frozenset[str]) -> str:
    return xxhash.xxh3_128_hexdigest("\n".join(sorted(names)).encode("utf-8", "surrogateescape"))
