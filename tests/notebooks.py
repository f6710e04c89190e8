"""Notebooks for tests, in a line: `write_notebook(path, "# text", code("x = 1", "parameters"))`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def code(source: str, *tags: str) -> dict[str, Any]:
    """A code cell."""
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {"tags": list(tags)},
        "outputs": [],
        "execution_count": None,
    }


def text(source: str) -> dict[str, Any]:
    """A markdown cell."""
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def write_notebook(path: Path, *cells: dict[str, Any], kernel: str = "python3") -> Path:
    """Write a notebook of these cells; returns its path."""
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": kernel, "display_name": kernel, "language": "python"},
            "language_info": {"name": "python"},
        },
        "cells": [{"id": f"c{index}", **cell} for index, cell in enumerate(cells)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def read(path: Path) -> dict[str, Any]:
    """The notebook's JSON."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def statuses(notebook: dict[str, Any]) -> list[str]:
    """papermill's status of each code cell, error marks left out."""
    return [cell["metadata"]["papermill"]["status"] for cell in notebook["cells"] if cell["cell_type"] == "code"]


def shown(cell: dict[str, Any]) -> str:
    """What a cell wrote and displayed, as plain text."""
    parts = []
    for output in cell["outputs"]:
        content = output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue", "")
        parts.append(content if isinstance(content, str) else "".join(content))
    return "".join(parts)
