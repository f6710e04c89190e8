"""Reuse against recompute: a step that takes 5 s and returns a data frame of 100 MB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from benchmarks.measuring import median, ratio, started_kernel, temporary_folder
from jupyter_mlops.verbs.framework.tables import table

ROUNDS = 3
IMPORTS = "import time\nimport numpy as np\nimport pandas as pd"
CODE = """time.sleep(5)
frame = pd.DataFrame(np.random.default_rng(n).random((1_250_000, 10)), columns=list("abcdefghij"))
"""
CHECK = "assert frame.memory_usage(index=False).sum() == 100_000_000 and frame.iloc[0, 0] == "


def tables() -> Iterator[Table]:
    """One table: computed plainly, computed as a step, reused in the same and in a new kernel."""
    times: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        with temporary_folder() as folder:
            for name, took in _round(folder, number).items():
                times.setdefault(name, []).append(took)
    made = table("", "median>", "of a plain cell>")
    made.title = f"A step of 5 s that returns 100 MB, {ROUNDS} rounds"
    base = median(times["plain cell"])
    for name, values in times.items():
        made.add_row(name, f"{median(values):.2f} s", ratio(median(values), base))
    yield made


def _round(folder: Path, number: int) -> dict[str, float]:
    times = {}
    step = f"%%step big\n{CODE}"
    with started_kernel(folder) as kernel:
        for setting in ("%load_ext jupyter_mlops", IMPORTS, f"n = {number}"):
            kernel.seconds(setting)
        times["plain cell"] = kernel.seconds(CODE)
        first = f"np.random.default_rng({number}).random()"
        kernel.seconds("del frame")
        times["%%step, computed"] = kernel.seconds(step)
        times["... then written behind the cell's back"] = kernel.seconds("%mlops drain")
        times["%%step, reused in the same kernel"] = kernel.seconds(step)
        kernel.seconds(CHECK + first)
    with started_kernel(folder) as kernel:
        for setting in ("%load_ext jupyter_mlops", IMPORTS, f"n = {number}"):
            kernel.seconds(setting)
        times["%%step, reused in a new kernel"] = kernel.seconds(step)
        kernel.seconds(CHECK + first)
    return times
