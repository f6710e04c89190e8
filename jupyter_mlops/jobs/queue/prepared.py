"""The notebook as it is given to the kernel: papermill's injection and metadata; and its marks where a cell failed."""

from __future__ import annotations

import importlib.metadata
from functools import lru_cache
from pathlib import Path

from jupyter_mlops.analysis.parameters.declared import TAG
from jupyter_mlops.analysis.parameters.injection import Injection, injection_of
from jupyter_mlops.analysis.pipeline.cells import cells_of
from jupyter_mlops.analysis.pipeline.quick_imports import quick_imports
from jupyter_mlops.execution.notebook.nodes import CellNode, NotebookNode
from jupyter_mlops.jobs.queue.request import INJECTED, Request

ERROR_TAG = "papermill-error-cell-tag"
ERROR_ANCHOR = "papermill-error-cell"
ERROR_STYLE = "color: #d32f2f; font-size: 1.4em"
NEEDED_TAG = "needed-parameters"
"""Tag of a cell before the parameters cell, for parameters without a default that are read in there."""


def prepare(request: Request, output: Path) -> NotebookNode:
    """The request's notebook with its parameters injected, as papermill does it."""
    with quick_imports():
        from nbclient import client
        from nbformat import v4

        assert client is not None
    notebook: NotebookNode = v4.upgrade(v4.to_notebook(request.notebook))
    for index, (cell, before) in enumerate(zip(notebook.cells, request.notebook["cells"], strict=True)):
        # Cells of older formats have no ids; nbformat's are new each time, ours are those we know the cells by.
        cell["id"] = before.get("id", f"cell-{index}")
    notebook.metadata.setdefault(
        "papermill",
        {
            "default_parameters": {},
            "parameters": {},
            "environment_variables": {},
            "version": _papermill_version(),
        },
    )
    notebook.cells = [cell for cell in notebook.cells if ERROR_TAG not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    if request.given and request.language == "python":
        _inject(notebook, request)
    elif request.given:
        with quick_imports():
            from papermill.parameterize import parameterize_notebook
        notebook = parameterize_notebook(
            notebook, request.given, kernel_name=request.kernel_name, language=request.language
        )
    notebook.metadata.papermill["parameters"] = request.given
    notebook.metadata.papermill["input_path"] = str(request.path)
    notebook.metadata.papermill["output_path"] = str(output)
    return notebook


@lru_cache(maxsize=1)
def _papermill_version() -> str:
    return importlib.metadata.version("papermill")


def inject_again(notebook: NotebookNode, request: Request) -> None:
    """Let the cell that papermill injected do what ours does: compute anew what follows from what is given."""
    for cell in notebook.cells:
        if INJECTED in cell.metadata.get("tags", []):
            cell["source"] = _injection(notebook, request).source
            return


def _inject(notebook: NotebookNode, request: Request) -> None:
    """Put the cell that sets the parameters where papermill puts it: for the former one, else after the parameters cell."""
    cells = notebook.cells = [cell for cell in notebook.cells if NEEDED_TAG not in cell.metadata.tags]
    injection = _injection(notebook, request)
    at = next((index for index, cell in enumerate(cells) if TAG in cell.metadata.tags), -1)
    former = next((index for index, cell in enumerate(cells) if INJECTED in cell.metadata.tags), None)
    if former is None:
        cells.insert(at + 1, _cell(cells, injection.source, INJECTED))
    else:
        cells[former] = _cell(cells, injection.source, INJECTED, cells[former]["id"])
    if injection.needed:
        cells.insert(at, _cell(cells, injection.needed, NEEDED_TAG))


def _injection(notebook: NotebookNode, request: Request) -> Injection:
    made = (INJECTED, NEEDED_TAG)
    own = [cell for cell in cells_of(notebook) if not any(tag in made for tag in cell.tags)]
    return injection_of(own, request.arguments)


def _cell(cells: list[CellNode], source: str, tag: str, cell_id: str | None = None) -> CellNode:
    """A code cell under the same id each time, so that its step is found again."""
    from nbformat import v4

    cell: CellNode = v4.new_code_cell(source)
    if cell_id is not None or all(other["id"] != tag for other in cells):
        cell["id"] = cell_id or tag
    cell.metadata["tags"] = [tag]
    return cell


def mark_failure(notebook: NotebookNode, index: int) -> None:
    """Put papermill's two error marks into the notebook: a line at its top that links to one above the failed cell.

    Tag and anchor are papermill's, the words are ours: importing papermill would hold up the end of the run by 0.6 s.
    """
    from nbformat import v4

    count = notebook.cells[index].execution_count
    at = "a cell that had not started" if count is None else f"In [{count}]"
    above = f'<span id="{ERROR_ANCHOR}" style="{ERROR_STYLE}">The run stopped in this cell:</span>'
    top = f'<span style="{ERROR_STYLE}">The run stopped at <a href="#{ERROR_ANCHOR}">{at}</a>.</span>'
    for place, text in ((index, above), (0, top)):
        mark = v4.new_markdown_cell(text)
        mark.metadata["tags"] = [ERROR_TAG]
        notebook.cells.insert(place, mark)
