"""`open`: a notebook at the cell where a run failed, beside the notebook that was run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.run import Run
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.queue.prepared import ERROR_TAG
from jupyter_mlops.store.files.notebooks import parse_notebook, write_notebook
from jupyter_mlops.store.store import Store

ATTACH = "mlops-attach"
"""Tag of the cell that brings the run's variables back."""


@dataclass(frozen=True)
class Opened:
    """The notebook made, and the place in it of the cell that attaches the run."""

    path: Path
    run: Run
    cell_index: int


def open_run(store: Store, run: Run) -> Opened:
    """Write the run's notebook with its outputs, and a cell that attaches the run above the one where it ended.

    Beside the notebook, so that files are found from it as from there; never over a file that is there. Raises
    `InputError` where nothing of the run is left.
    """
    notebook = _executed(store, run)
    cells = [cell for cell in notebook["cells"] if ERROR_TAG not in cell.get("metadata", {}).get("tags", [])]
    failed = run.error.cell_index if run.error is not None else None
    if failed is None or failed > len(cells):
        failed = next((place for place, cell in enumerate(cells) if _is_open(cell)), len(cells))
    cells.insert(failed, _attaching(run, notebook.get("nbformat_minor", 0) >= 5))
    for part in (notebook, *cells):
        part.get("metadata", {}).pop("papermill", None)
    path = _free(store.root / run.notebook, run)
    write_notebook(path, {**notebook, "cells": cells})
    return Opened(path, run, failed)


def _executed(store: Store, run: Run) -> dict[str, Any]:
    """The executed notebook where it is still there, else the one that was asked for."""
    path = store.root / run.output_path if run.output_path else None
    if path is not None and path.is_file():
        return parse_notebook(path.read_bytes(), str(path))
    if run.notebook_object is None or run.notebook_object not in store.objects:
        raise InputError(
            f"The notebook of run {run.number} no longer exists.",
            f"Its file and its stored copy are gone. Run the notebook again: jupyter mlops run {run.notebook}",
        )
    return parse_notebook(bytes(store.objects.get(run.notebook_object)), run.notebook)


def _is_open(cell: dict[str, Any]) -> bool:
    """Whether a code cell of an executed notebook did not end well."""
    status = cell.get("metadata", {}).get("papermill", {}).get("status")
    return cell["cell_type"] == "code" and status in ("failed", "running", "pending")


def _attaching(run: Run, has_ids: bool) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {"tags": [ATTACH]},
        "execution_count": None,
        "outputs": [],
        "source": f"%load_ext jupyter_mlops\n%mlops attach {run.number}",
    }
    return {**cell, "id": f"attach-{run.number}"} if has_ids else cell


def _free(notebook: Path, run: Run) -> Path:
    stem = f"{notebook.stem}-run{run.number}"
    path, copy = notebook.with_name(f"{stem}.ipynb"), 1
    while path.exists():
        copy += 1
        path = notebook.with_name(f"{stem}-{copy}.ipynb")
    return path
