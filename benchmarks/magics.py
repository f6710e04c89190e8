"""What `%load_ext` and `%%step` cost: cells of a real kernel, with and without, by turns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from benchmarks.measuring import median, milliseconds, p95, ratio, started_kernel, temporary_folder
from jupyter_mlops.verbs.framework.tables import table

CELLS = 100
KERNELS = 7


def tables() -> Iterator[Table]:
    """A trivial cell; the first things of a kernel."""
    yield trivial_cell()
    yield first_things()


def trivial_cell() -> Table:
    """`y = n + 1` as a plain cell, as a step that must be executed (n is new), and as a step that is reused."""
    times: dict[str, list[float]] = {"plain": [], "executed": [], "reused": []}
    with temporary_folder() as folder, started_kernel(folder) as kernel:
        kernel.seconds("%load_ext jupyter_mlops")
        for number in range(-10, CELLS):
            kernel.seconds(f"n = {number}")
            taken = {
                "plain": kernel.seconds("y = n + 1"),
                "executed": kernel.seconds("%%step bump\ny = n + 1"),
            }
            kernel.seconds("%mlops drain")
            taken["reused"] = kernel.seconds("%%step bump\ny = n + 1")
            if number >= 0:
                for name, took in taken.items():
                    times[name].append(took)
    made = table("one trivial cell", "median>", "p95>", "added (median)>", "added (p95)>")
    made.title = f"Magic overhead, {CELLS} cells each, by turns in one kernel"
    for name, label in (("plain", "plain"), ("executed", "%%step, executed"), ("reused", "%%step, reused")):
        added = [took - plain for took, plain in zip(times[name], times["plain"], strict=True)]
        shown = ("", "") if name == "plain" else (milliseconds(median(added)), milliseconds(p95(added)))
        made.add_row(label, milliseconds(median(times[name])), milliseconds(p95(times[name])), *shown)
    return made


def first_things() -> Table:
    """`%load_ext`, then at once the first step, in fresh kernels: in a new project, and in one that exists."""
    times: dict[str, list[float]] = {"plain": [], "load": [], "new": [], "existing": []}
    for _ in range(KERNELS):
        with temporary_folder() as folder:
            for project in ("new", "existing"):
                load, plain, step = _first_things(folder)
                times["load"].append(load)
                times["plain"].append(plain)
                times[project].append(step)
    made = table("first in a kernel", "median>", "slowest>", "of a plain first cell>")
    made.title = f"First things, {KERNELS} fresh kernels each"
    base = median(times["plain"])
    for name, label in (
        ("plain", "a plain cell"),
        ("load", "%load_ext jupyter_mlops"),
        ("new", "first %%step, no .mlops/ yet"),
        ("existing", "first %%step, .mlops/ exists"),
    ):
        values = times[name]
        made.add_row(label, milliseconds(median(values)), milliseconds(max(values)), ratio(median(values), base))
    return made


def _first_things(folder: Path) -> tuple[float, float, float]:
    with started_kernel(folder) as kernel:
        plain = kernel.seconds("x = 1")
        load = kernel.seconds("%load_ext jupyter_mlops")
        step = kernel.seconds("%%step first\ny = 1")
        kernel.seconds("%mlops drain")
    return load, plain, step
