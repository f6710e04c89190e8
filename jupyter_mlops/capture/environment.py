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


def python_minor() -> str:
    """Implementation and minor version, such as "CPython 3.11"."""
    return f"{platform.python_implementation()} {sys.version_info.major}.{sys.version_info.minor}"


def packages_digest() -> str:
    """A digest of the names and versions of all installed packages, from their `.dist-info` folders.

    A folder is listed again only when it was changed, so that asking before each step costs next to nothing.
    """
    names: set[str] = set()
    for entry in sys.path:
        try:
            names |= _packages_in(entry, os.stat(entry).st_mtime_ns) if entry else frozenset()
        except OSError:
            continue
    return _digest(frozenset(names))


def versions_digest(packages: Iterable[str]) -> str:
    """A digest of the versions of what gives these top-level packages, and of all that it may require and is installed.

    Where it is not known what gives one of them, all installed packages count.
    """
    return _versions(tuple(packages), _marks(tuple(sys.path), int(time.monotonic() / _GLANCE_SECONDS)))


_GLANCE_SECONDS = 0.1
"""How long what was seen of the folders of packages holds: a plan of many steps looks once."""


@lru_cache(maxsize=2)
def _marks(path: tuple[str, ...], _moment: int) -> tuple[tuple[str, int], ...]:
    marks = []
    for entry in path:
        if entry and entry not in _WITHOUT_PACKAGES:
            with contextlib.suppress(OSError):
                marks.append((entry, os.stat(entry).st_mtime_ns))
    return tuple(marks)


def _standard_library() -> set[str]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    archive = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    beside = {os.path.join(os.path.dirname(folder), archive) for folder in folders}
    return folders | beside | {os.path.join(folder, "lib-dynload") for folder in folders}


_WITHOUT_PACKAGES = _standard_library()
"""Entries of the import path in which nothing is installed: each look at one lets other threads go first."""


@lru_cache(maxsize=256)
def _versions(packages: tuple[str, ...], marks: tuple[tuple[str, int], ...]) -> str:
    installed = _installed(marks)
    waiting = [_normal(_GIVEN_BY.get(package, package)) for package in packages]
    if any(name not in installed for name in waiting):
        return packages_digest()
    found = {os.path.basename(installed[name]) for name in ("ipython",) if name in installed}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in installed and name not in seen:
            seen.add(name)
            found.add(os.path.basename(installed[name]))
            waiting += _required_by(installed[name])
    return _digest(frozenset(found))


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
def _installed(marks: tuple[tuple[str, int], ...]) -> dict[str, str]:
    """Distribution → its folder with the metadata; of two the one that is found first."""
    installed: dict[str, str] = {}
    for entry, modified in marks:
        for name in _packages_in(entry, modified):
            installed.setdefault(_normal(name.partition("-")[0]), os.path.join(entry, name))
    return installed


@lru_cache(maxsize=512)
def _required_by(folder: str) -> tuple[str, ...]:
    """What a distribution may require, under whatever condition, from the head of its metadata."""
    names = []
    for file in ("METADATA", "PKG-INFO"):
        try:
            with open(os.path.join(folder, file), encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if not line.strip():
                        break
                    match = re.match(r"Requires-Dist:\s*([\w.-]+)", line)
                    extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", line)
                    if match is not None and (extra is None or not extra[1].startswith(_NOT_FOR_USE)):
                        names.append(_normal(match[1]))
        except OSError:
            continue
        break
    return tuple(names)


@lru_cache(maxsize=64)
def _packages_in(folder: str, _modified: int) -> frozenset[str]:
    try:
        entries = os.listdir(folder)
    except NotADirectoryError:
        return frozenset()
    return frozenset(
        name
        for name in entries
        if name.endswith((".dist-info", ".egg-info")) and not name.startswith(("jupyter_mlops-", "~"))
    )


@lru_cache(maxsize=16)
def _digest(names: frozenset[str]) -> str:
    return xxhash.xxh3_128_hexdigest("\n".join(sorted(names)).encode("utf-8", "surrogateescape"))
