"""How much of what a cell prints its notebook shows: a limit of the project, or of the environment. And where the rest is."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from jupyter_mlops.errors import InputError

VARIABLE = "MLOPS_OUTPUT_LIMIT"
CHARACTERS = 1_000_000
"""A notebook of a hundred such cells still opens in JupyterLab."""
_FILE = "mlops.toml"
_SUFFIX = ".outputs"


def folder_of(notebook: Path) -> Path:
    """The folder of the files to which goes what is more: `train.outputs` of the executed notebook `train.ipynb`."""
    return notebook.with_name(notebook.stem + _SUFFIX)


def overflows_of(notebook: Path) -> list[Path]:
    """These files, in the order of their cells."""
    return sorted(folder_of(notebook).glob("cell-*.txt"), key=lambda path: (len(path.name), path.name))


def output_limit(root: Path, environment: Mapping[str, str] = os.environ) -> int:
    """Characters of streams that a cell may show: the variable, else `limit` in `[output]` of the project's `mlops.toml`.

    Raises `InputError` for what is no number.
    """
    told, where = environment.get(VARIABLE), VARIABLE
    if told is None:
        told, where = _of_project(root / _FILE), f"limit in [output] of '{root / _FILE}'"
    if told is None:
        return CHARACTERS
    if not told.isdecimal():
        raise InputError(f"{where} is {told!r}.", "Give a number of characters, such as 1000000; 0 shows everything.")
    return int(told) or sys.maxsize


def _of_project(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    if "[output]" not in text:
        return None
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        found = tomllib.loads(text).get("output", {}).get("limit")
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"'{path}' cannot be read: {error}.", "Mend it; TOML is described at toml.io.") from error
    return None if found is None else str(found)
