"""The notebook as it is given to the kernel: papermill's injection and metadata; and its marks where a cell failed."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

from jupyter_mlops.jobs.imports import quick_imports
from jupyter_mlops.jobs.request import Request

ERROR_TAG = "papermill-error-cell-tag"


def prepare(request: Request, output: Path) -> Any:
    """The request's notebook with its parameters injected, as papermill does it."""
    with quick_imports():
        from nbclient import client
        from nbformat import v4

        assert client is not None
    notebook = v4.upgrade(v4.reads(json.dumps(request.notebook)))
    for index, (cell, before) in enumerate(zip(notebook.cells, request.notebook["cells"], strict=True)):
        # Cells of older formats have no ids; nbformat's are new each time, ours are those we know the cells by.
        cell["id"] = before.get("id", f"cell-{index}")
    notebook.metadata.setdefault(
        "papermill",
        {
            "default_parameters": {},
            "parameters": {},
            "environment_variables": {},
            "version": importlib.metadata.version("papermill"),
        },
    )
    notebook.cells = [cell for cell in notebook.cells if ERROR_TAG not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    notebook.metadata.papermill["parameters"] = {}
    if request.given:
        with quick_imports():
            from papermill.parameterize import parameterize_notebook
        notebook = parameterize_notebook(
            notebook, request.given, kernel_name=request.kernel_name, language=request.language
        )
    notebook.metadata.papermill["input_path"] = str(request.path)
    notebook.metadata.papermill["output_path"] = str(output)
    return notebook


def mark_failure(notebook: Any, index: int) -> None:
    """Put papermill's two error marks into the notebook: a line at its top that links to one above the failed cell."""
    with quick_imports():
        from nbformat import v4
        from papermill.execute import ERROR_ANCHOR_MSG, ERROR_MARKER_TAG, ERROR_MESSAGE_TEMPLATE
    count = notebook.cells[index].execution_count
    for place, text in ((index, ERROR_ANCHOR_MSG), (0, ERROR_MESSAGE_TEMPLATE % count)):
        mark = v4.new_markdown_cell(text)
        mark.metadata["tags"] = [ERROR_MARKER_TAG]
        notebook.cells.insert(place, mark)
