"""A second word of runs and schedules beside the index: a line for each that is made, ends or goes, until a backup has it.

`.mlops/logbook.jsonl` is appended after each commit in which there is such a thing, without waiting for the disk. It is
only read where the index is lost. What cannot be written is left out: it stands in the index.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

FILE = "logbook.jsonl"
RUNS, SCHEDULES, GONE = "runs", "schedules", "gone"
_NOTED = "mlops_noted"
_TO_JSON = json.JSONEncoder(separators=(",", ":"), default=str).encode
_FROM_JSON = json.JSONDecoder().decode


def note(connection: sa.Connection, kind: str, row: Mapping[str, Any]) -> None:
    """Within a transaction: write this row down once it is committed."""
    if connection.dialect.name == "sqlite":
        connection.info.setdefault(_NOTED, []).append((kind, {name: _plain(value) for name, value in row.items()}))


def take(connection: sa.Connection) -> list[tuple[str, dict[str, Any]]]:
    """What was noted on a connection; from now on that is nothing."""
    noted: list[tuple[str, dict[str, Any]]] = connection.info.pop(_NOTED, [])
    return noted


def append(folder: Path, noted: list[tuple[str, dict[str, Any]]]) -> None:
    """Write down what was noted: each line by one call, so that those of several processes do not mix."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for kind, row in noted:
                os.write(descriptor, f"{_TO_JSON({'kind': kind, 'row': row})}\n".encode())
        finally:
            os.close(descriptor)


def turn_page(folder: Path, page: Path) -> None:
    """Begin a new logbook; the lines so far become `page`."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder / FILE, page)


def read(*pages: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """All lines in order; one that was cut off is left out."""
    for page in pages:
        with contextlib.suppress(FileNotFoundError), open(page, "rb") as file:
            for line in file:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    told = _FROM_JSON(line.decode("utf-8"))
                    yield str(told["kind"]), dict(told["row"])


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
