"""What we write is what nbformat writes, to the byte."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4

from jupyter_mlops.execution.notebook.notebook_json import json_of

TEXTS = [
    "",
    "x = 1",
    "a\nb\n",
    "\n",
    "a\r\nb\x0bc\u2028d\x85",
    'quote " and \\ and \t\x00\x1f',
    "ünï \U0001f600 \ud800",
]
KINDS = ["text/plain", "text/html", "image/png", "image/svg+xml", "application/javascript", "application/json", "x/y"]


class Word(str):
    """A text of another class."""


class Chance:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self) -> str:
        return "".join(self.random.choices(TEXTS, k=self.random.randrange(4)))

    def value(self, depth: int = 0) -> Any:
        plain = [None, True, False, 0, -7, 10**30, 0.1, -2.5e300, float("nan"), float("inf"), b"b64", Word("w\n")]
        kind = self.random.randrange(6 if depth < 3 else 4)
        if kind < 3:
            return self.random.choice(plain)
        if kind == 3:
            return self.text()
        if kind == 4:
            made = [self.value(depth + 1) for _ in range(self.random.randrange(3))]
            return tuple(made) if self.random.random() < 0.2 else made
        return self.metadata(depth + 1)

    def metadata(self, depth: int = 0) -> dict[Any, Any]:
        names = ["b", "a", "trusted", "signature", "orig_nbformat", "Ä", "a b"]
        if self.random.random() < 0.1:
            return {3: self.value(depth), 12: None}
        return {name: self.value(depth) for name in self.random.sample(names, self.random.randrange(5))}

    def bundle(self) -> dict[str, Any]:
        kinds = self.random.sample(KINDS, self.random.randrange(4))
        return {kind: self.text() if self.random.random() < 0.7 else self.value() for kind in kinds}

    def output(self) -> Any:
        kind = self.random.choice(["stream", "display_data", "execute_result", "error"])
        if kind == "stream":
            text = self.text() if self.random.random() < 0.8 else [self.text()]
            return {"output_type": kind, "name": "stdout", "text": text}
        if kind == "error":
            return {"output_type": kind, "ename": "E", "evalue": self.text(), "traceback": [self.text()]}
        made = {"output_type": kind, "metadata": self.metadata(), "data": self.bundle()}
        if kind == "execute_result":
            made["execution_count"] = self.random.choice([None, 3])
        return made

    def cell(self) -> Any:
        kind = self.random.choice(["code", "code", "markdown", "raw"])
        source = self.text() if self.random.random() < 0.8 else [self.text()]
        made = {"cell_type": kind, "id": self.text(), "metadata": self.metadata(), "source": source}
        if kind == "code":
            made |= {"execution_count": 1, "outputs": [self.output() for _ in range(self.random.randrange(4))]}
        elif self.random.random() < 0.3:
            made["attachments"] = {"a.png": self.bundle()}
        return made

    def notebook(self) -> Any:
        cells = [self.cell() for _ in range(self.random.randrange(5))]
        return nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": self.metadata(), "cells": cells})


@pytest.mark.parametrize("seed", range(300))
def test_a_notebook_of_anything(seed: int) -> None:
    notebook = Chance(seed).notebook()
    before = copy.deepcopy(notebook)
    assert json_of(notebook) == v4.writes(notebook) + "\n"
    assert repr(notebook) == repr(before)


def test_the_notebooks_of_this_project() -> None:
    found = [path for folder in ("templates", "tests", "docs") for path in Path(folder).rglob("*.ipynb")]
    assert found
    for path in found:
        notebook = nbformat.read(path, as_version=4)
        assert json_of(notebook) == v4.writes(notebook) + "\n", path


def test_what_is_no_json_is_told() -> None:
    notebook = v4.new_notebook(cells=[v4.new_code_cell("x", metadata={"a": object()})])
    with pytest.raises(TypeError, match="Object of type object is not JSON serializable"):
        json_of(notebook)
