"""Notebook files: read without losing a byte, checked for being JSON of nbformat 4; written by rename."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_mlops.domain.json_text import dumps, loads
from jupyter_mlops.errors import NotebookError, UnknownNameError
from jupyter_mlops.store.files.atomic import write_atomically


def read_notebook(path: Path) -> dict[str, Any]:
    """The JSON of the notebook at `path`. Raises `UnknownNameError` (no such file) or `NotebookError`."""
    return parse_notebook(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """The notebook's bytes. Raises `UnknownNameError` with a did-you-mean among its neighbours.

    Raises `NotebookError` where it cannot be read.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        neighbours = [other.name for other in path.parent.glob("*.ipynb")] if path.parent.is_dir() else []
        hint = UnknownNameError.among("notebook", path.name, neighbours).hint
        raise UnknownNameError(f"There is no notebook named '{path}'.", hint) from None
    except OSError as error:
        raise NotebookError(f"'{path}' cannot be read: {error.strerror}.", "Give a notebook file.") from error


def parse_notebook(data: bytes, name: str) -> dict[str, Any]:
    """The JSON of a notebook's bytes; `name` is for the error. Raises `NotebookError`."""
    try:
        notebook = loads(data)
    except ValueError as error:
        raise NotebookError(
            f"'{name}' is not valid JSON: {error}.",
            "It may be incomplete or contain merge conflict markers: restore it from git or from Jupyter's checkpoint.",
        ) from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise NotebookError(
            f"'{name}' is JSON, but not a notebook in format 4.",
            "Open it in JupyterLab and save it, or use another one.",
        )
    return notebook


def write_notebook(path: Path, notebook: dict[str, Any]) -> None:
    """Write a notebook as nbformat does (one space indent, a final newline), by rename."""
    text = dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    write_atomically(path, [text.encode("utf-8")])
