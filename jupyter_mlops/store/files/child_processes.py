"""What a process that is started beside this one is given: the package, and a log to write to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

LOG_BYTES = 1_000_000


def import_path() -> dict[str, str]:
    """For a source checkout that is not installed: let the process find the package where this one did."""
    parent = Path(__file__).resolve().parents[3]
    if parent.name in ("site-packages", "dist-packages"):
        return {}
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(parent), *([before] if before else [])])}


def open_log(path: Path) -> IO[bytes]:
    """The file to append to; what is there already goes to `*.log.1` once it has `LOG_BYTES`. Raises `OSError`."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        os.replace(path, path.with_suffix(".log.1"))
    return open(path, "ab")
