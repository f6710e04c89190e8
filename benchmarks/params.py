"""Parameters: how soon a value that does not fit is refused, and the list of what a notebook takes, against papermill's."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from rich.table import Table

from benchmarks.measuring import BenchmarkError, median, ratio, temporary_folder
from jupyter_mlops.verbs.framework.tables import table

ROUNDS = 9
BAR = 200
"""Milliseconds that checking may take before any kernel starts."""
NOTEBOOK = (
    (
        "from typing import Annotated, Literal\nfrom pydantic import Field\n"
        "rate: Annotated[float, Field(gt=0, le=1)] = 0.1\nrounds: int = 100\nkind: Literal['small', 'large'] = 'small'",
        ["parameters"],
    ),
    ("%%step train\nscore = rate * rounds", []),
)
CHECK = """
import time
began = time.perf_counter()
from pathlib import Path
from jupyter_mlops.errors import InputError
from jupyter_mlops.operations.parameters.values import read_parameters
ready = time.perf_counter()
try:
    read_parameters(Path("nb.ipynb"), [("rate", "7")])
except InputError:
    ended = time.perf_counter()
    print(1000 * (ended - ready), 1000 * (ended - began))
"""
FITS = """
import time
began = time.perf_counter()
from pathlib import Path
from jupyter_mlops.jobs.queue.request import check_request
ready = time.perf_counter()
check_request(Path("nb.ipynb"), {"rate": 0.5, "rounds": 3})
ended = time.perf_counter()
print(1000 * (ended - ready), 1000 * (ended - began))
"""
PYTHON = (sys.executable, "-c", "")
CLI = (sys.executable, "-m", "jupyter_mlops.cli.main")
LISTED = "the parameters listed, command"
PAPERMILL = "papermill --help-notebook"


def tables() -> Iterator[Table]:
    """Milliseconds, each in a fresh process, by turns."""
    times: dict[str, list[float]] = {}
    with temporary_folder() as folder:
        cells = [nbformat.v4.new_code_cell(source, metadata={"tags": tags}) for source, tags in NOTEBOOK]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "nb.ipynb")
        for _ in range(ROUNDS):
            check, whole = map(float, _run(folder, (sys.executable, "-c", CHECK), 0)[1].split())
            fits, all_of_it = map(float, _run(folder, (sys.executable, "-c", FITS), 0)[1].split())
            taken = {
                "refused: the check itself": check,
                "refused: with all it imports": whole,
                "it fits: all checks of a job, steps and kernel too": fits,
                "it fits: with all they import": all_of_it,
                "an interpreter that does nothing": _run(folder, PYTHON, 0)[0],
                "refused by `run`, command": _run(folder, (*CLI, "run", "nb.ipynb", "-p", "rate", "7"), 2)[0],
                LISTED: _run(folder, (*CLI, "params", "nb.ipynb"), 0)[0],
                PAPERMILL: _run(folder, (sys.executable, "-m", "papermill", "--help-notebook", "nb.ipynb"), 0)[0],
            }
            for name, value in taken.items():
                times.setdefault(name, []).append(value)
    made = table("", "milliseconds>")
    made.title = f"Parameters checked; median of {ROUNDS} fresh processes (bar for the check: {BAR} ms)"
    for name, values in times.items():
        made.add_row(name, f"{median(values):.0f}")
    made.add_row(f"{PAPERMILL} / ours", ratio(median(times[PAPERMILL]), median(times[LISTED])))
    yield made


def _run(folder: Path, command: tuple[str, ...], code: int) -> tuple[float, str]:
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    took = time.perf_counter() - began
    if done.returncode != code:
        raise BenchmarkError(f"{command} ended with {done.returncode}, not {code}: {done.stderr}", "Run it by hand.")
    return 1000 * took, done.stdout
