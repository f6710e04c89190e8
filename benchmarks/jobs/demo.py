"""`jupyter mlops run` against the `papermill` command on the demo's notebook: a first run, and a second just like it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.measuring import median, ratio, temporary_folder
from jupyter_mlops.operations.project.templates import new_project
from jupyter_mlops.verbs.framework.tables import table

ROUNDS = 3


def tables() -> Iterator[Table]:
    """One table; papermill gets the notebook without the magic lines, so that nothing of ours is in its time."""
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        with temporary_folder() as folder:
            notebook = new_project("tabular-classification", folder / "project").notebook
            plain = _without_magics(notebook, folder / "plain.ipynb")
            for which in ("first run", "second run"):
                for name, command in (
                    ("papermill", ["papermill", str(plain), str(folder / "out.ipynb"), "--no-progress-bar"]),
                    ("jupyter mlops run", ["jupyter", "mlops", "run", str(notebook)]),
                ):
                    times.setdefault((name, which), []).append(_seconds(command, folder))
    made = table("", "first run>", "second run>", "second of first>")
    made.title = f"The demo's notebook as a job (a whole command each), median of {ROUNDS} rounds by turns"
    medians = {key: median(values) for key, values in times.items()}
    for name in ("papermill", "jupyter mlops run"):
        first, second = medians[name, "first run"], medians[name, "second run"]
        made.add_row(name, f"{first:.1f} s", f"{second:.1f} s", ratio(second, first))
    made.add_row(
        "jupyter mlops run of papermill",
        *(
            ratio(medians["jupyter mlops run", which], medians["papermill", which])
            for which in ("first run", "second run")
        ),
    )
    yield made


def _without_magics(notebook: Path, target: Path) -> Path:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).split("\n")
            cell["source"] = "\n".join("#" if line.startswith("%") else line for line in lines)
    target.write_text(json.dumps(content), encoding="utf-8")
    return target


def _seconds(command: Sequence[str], folder: Path) -> float:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return time.perf_counter() - began
