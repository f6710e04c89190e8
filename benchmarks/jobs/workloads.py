"""The notebooks that are run as jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workload:
    """Notebooks of these cells. A round is `jobs` of them by a worker, `base_jobs` by papermill in process, which all is
    compared with and which waits four seconds in vain for one job in five, and `peer_jobs` by each of the others."""

    name: str
    cells: tuple[str, ...]
    jobs: int
    base_jobs: int
    peer_jobs: int
    at_once: int = 1

    def write(self, folder: Path) -> Path:
        """The notebook's file."""
        path = folder / "notebook.ipynb"
        cells = [
            {"id": f"c{n}", "cell_type": "code", "source": code, "metadata": {}, "outputs": [], "execution_count": None}
            for n, code in enumerate(self.cells)
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}
        path.write_text(json.dumps(content), encoding="utf-8")
        return path


_TRIVIAL = tuple(f"x{n} = {n}" for n in range(200))
STEPS = Workload("200 trivial cells", _TRIVIAL, 20, 3, 1)
WORKLOADS = (
    Workload("a trivial job", ("x = 1",), 20, 20, 3),
    Workload("a job with imports", ("import pandas, sklearn, mlflow",), 20, 8, 2),
    STEPS,
    Workload("100 cells after 5 MB", ("print('x' * 5_000_000)", *_TRIVIAL[:100]), 20, 3, 1),
    Workload("8 at once", ("import pandas, sklearn, mlflow",), 8, 8, 8, at_once=8),
)
