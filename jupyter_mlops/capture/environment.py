"""The interpreter and packages a result depends on: any installed package may, through another, so all of them count."""

from __future__ import annotations

import os
import platform
import sys
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
