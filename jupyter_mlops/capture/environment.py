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
    """A digest of the names and versions of all installed packages, from their `.dist-info` folders."""
    marks = []
    for entry in sys.path:
        if entry and os.path.isdir(entry):
            marks.append((entry, os.stat(entry).st_mtime_ns))
    return _digest(tuple(marks))


@lru_cache(maxsize=4)
def _digest(marks: tuple[tuple[str, int], ...]) -> str:
    names = {
        name
        for entry, _ in marks
        for name in os.listdir(entry)
        if name.endswith((".dist-info", ".egg-info")) and not name.startswith(("jupyter_mlops-", "~"))
    }
    return xxhash.xxh3_128_hexdigest("\n".join(sorted(names)).encode())
