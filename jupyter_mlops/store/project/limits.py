"""Limits that a project sets in its `mlops.toml`, or the environment for it: `limit` in a table of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from jupyter_mlops.domain import variables
from jupyter_mlops.errors import InputError

_FILE = "mlops.toml"
PARAMETER_BYTES = 65_536
"""A value that is read with every list of runs, sent to MLflow and written into a notebook's cell."""


def parameter_limit(root: Path, environment: Mapping[str, str] = os.environ) -> int:
    """Bytes that the JSON form of one parameter may take: the variable, else `limit` in `[parameters]` of `mlops.toml`.

    Raises `InputError` for what is no number.
    """
    what = "a number of bytes, such as 65536; 0 for no limit"
    return limit_of(root, "parameters", variables.PARAMETER_LIMIT, PARAMETER_BYTES, what, environment)


def limit_of(root: Path, table: str, variable: str, usual: int, what: str, environment: Mapping[str, str]) -> int:
    """A limit of the project at `root`; `sys.maxsize` where it is given as 0, `usual` where it is not given.

    Raises `InputError`, which asks for `what`, where it is not a number.
    """
    told, where = environment.get(variable), variable
    if told is None:
        told, where = _of_project(root / _FILE, table), f"limit in [{table}] of '{root / _FILE}'"
    if told is None:
        return usual
    if not told.isdecimal():
        raise InputError(f"{where} is {told!r}, which is not valid.", f"Give {what}.")
    return int(told) or sys.maxsize


def _of_project(path: Path, table: str) -> str | None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    if f"[{table}]" not in text:
        return None
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        limit = tomllib.loads(text).get(table, {}).get("limit")
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"'{path}' cannot be read: {error}.", "Fix it; TOML is described at toml.io.") from error
    return None if limit is None else str(limit)
