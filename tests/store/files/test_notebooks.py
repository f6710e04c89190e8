"""Notebook files: read, refused with a reason, and written by rename."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from jupyter_mlops.errors import NotebookError, UnknownNameError
from jupyter_mlops.store.files.notebooks import read_bytes, read_notebook, write_notebook

EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def test_a_missing_notebook_is_told_with_a_neighbour_that_is_meant(tmp_path: Path) -> None:
    (tmp_path / "study.ipynb").write_text(json.dumps(EMPTY))
    with pytest.raises(UnknownNameError, match="no notebook named") as caught:
        read_bytes(tmp_path / "studdy.ipynb")
    assert caught.value.hint == "Did you mean 'study.ipynb'?"


def test_a_missing_notebook_in_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError):
        read_bytes(tmp_path / "none" / "a.ipynb")


@pytest.mark.parametrize(
    "text",
    ['{"cells": [', "", '{"cells": []}<<<<<<< HEAD', "\xff\xfe"],
    ids=["half written", "empty", "merge conflict", "no text"],
)
def test_a_notebook_that_is_no_json_is_told_with_the_mend(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(NotebookError, match="not valid JSON") as caught:
        read_notebook(path)
    assert "restore it" in caught.value.hint
    assert path.read_bytes() == text.encode("latin-1")


@pytest.mark.parametrize("data", [[], {}, {"cells": 1}, {"worksheets": [], "nbformat": 3}, "text", None])
def test_json_that_is_no_notebook_of_format_4_is_told(tmp_path: Path, data: object) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(data))
    with pytest.raises(NotebookError, match="not a notebook in format 4"):
        read_notebook(path)


def test_a_folder_in_place_of_a_notebook_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="cannot be read"):
        read_notebook(tmp_path)


def test_writing_gives_the_bytes_that_jupyter_writes(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 'ä'", id="a")])
    nbformat.write(notebook, tmp_path / "theirs.ipynb")
    write_notebook(tmp_path / "ours.ipynb", read_notebook(tmp_path / "theirs.ipynb"))
    assert (tmp_path / "ours.ipynb").read_bytes() == (tmp_path / "theirs.ipynb").read_bytes()
