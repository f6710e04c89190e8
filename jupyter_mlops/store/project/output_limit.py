"""How much of what a cell prints its notebook shows: a limit of the project, or of the environment. And where the rest is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jupyter_mlops.domain import variables
from jupyter_mlops.store.project.limits import limit_of

CHARACTERS = 1_000_000
"""A notebook of a hundred such cells still opens in JupyterLab."""
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
    return limit_of(
        root,
        "output",
        variables.OUTPUT_LIMIT,
        CHARACTERS,
        "a number of characters, such as 1000000; 0 shows everything",
        environment,
    )
