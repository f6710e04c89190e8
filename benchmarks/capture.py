"""What the capture of every cell costs: cells of a plain kernel and of a captured one by turns, plans, and stored bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.measuring import Kernel, median, milliseconds, p95, ratio, started_kernel, temporary_folder
from jupyter_mlops.analysis.pipeline.cells import all_steps_of, cells_of
from jupyter_mlops.analysis.pipeline.links import edges
from jupyter_mlops.capture.forecast import forecast
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.framework.tables import table

CELLS = 200
ROUNDS = 5
ROWS = 13_421_773
"""Of ten columns of float64: 1 GiB."""
CAPTURE = ("%load_ext jupyter_mlops", "%mlops capture on")
IMPORTS = "import time\nimport numpy as np\nimport pandas as pd"
LOOP = """total = n
for i in range(6_000_000):
    total += i % 7
"""
BIG = f"big = pd.DataFrame(np.full(({ROWS}, 10), float(n)), columns=list('abcdefghij'))"


def tables() -> Iterator[Table]:
    """Cells, then plans and the store. Each row has the bar that it is held to."""
    made = table("", "plain>", "captured>", "added>", "bar>")
    made.title = (
        f"Capture of every cell: medians of a plain and a captured kernel by turns, {CELLS} trivial cells, else few"
    )
    with temporary_folder() as folder:
        (folder / "plain").mkdir()
        (folder / "captured").mkdir()
        with started_kernel(folder / "plain") as plain, started_kernel(folder / "captured") as captured:
            for setting in CAPTURE:
                captured.seconds(setting)
            for kernel in (plain, captured):
                kernel.seconds(IMPORTS)
            for row in (trivial_cell, busy_cell, reading_cell, big_result):
                for shown in row(plain, captured):
                    made.add_row(*shown)
        restore_seconds = big_restored(folder / "captured")
    made.add_row("1 GiB restored in a new kernel and summed up", *restore_seconds)
    yield made
    made = table("", "median>", "slowest>", "bar>")
    made.title = "Plans of a notebook of 200 cells"
    for shown in plans():
        made.add_row(*shown)
    yield made
    made = table("", "unique>", "stored>", "stored of unique>", "bar>")
    made.title = "The store"
    made.add_row(*versions())
    yield made


def trivial_cell(plain: Kernel, captured: Kernel) -> Iterator[tuple[str, ...]]:
    """`y = n + 1`, n new each time, so that it is executed."""
    times = _by_turns(plain, captured, CELLS, "n = {}", "y = n + 1")
    added = [there - here for here, there in zip(*times, strict=True)]
    yield (
        "a trivial cell (median; p95)",
        *(f"{milliseconds(median(values))}; {milliseconds(p95(values))}" for values in (*times, added)),
        "2 ms; 10 ms",
    )


def busy_cell(plain: Kernel, captured: Kernel) -> Iterator[tuple[str, ...]]:
    """A loop of pure Python."""
    here, there = (median(values) for values in _by_turns(plain, captured, 2 * ROUNDS + 1, "n = {}", LOOP))
    yield "a loop of pure Python", milliseconds(here), milliseconds(there), ratio(there, here), "1.05x"


def reading_cell(plain: Kernel, captured: Kernel) -> Iterator[tuple[str, ...]]:
    """A cell that only reads a frame of 1 GiB, which another made."""
    for kernel in (plain, captured):
        kernel.seconds("n = 0")
        kernel.seconds(BIG)
    captured.seconds("%mlops drain")
    here, there = (median(v) for v in _by_turns(plain, captured, ROUNDS, "n = {}", "first = big.iloc[0, 0] + n"))
    yield "a cell that reads a frame of 1 GiB", *map(milliseconds, (here, there, there - here)), "150 ms"
    for kernel in (plain, captured):
        kernel.seconds("del big")


def big_result(plain: Kernel, captured: Kernel) -> Iterator[tuple[str, ...]]:
    """A cell that makes a frame of 1 GiB, in one kernel with and without: new memory costs more than all else."""
    times: dict[str, list[float]] = {"off": [], "on": []}
    for number in range(-1, 3):
        for word, values in times.items():
            for setting in (f"%mlops capture {word}", f"n = {number} + 1"):
                captured.seconds(setting)
            took = captured.seconds(BIG)
            if number >= 0:
                values.append(took)
            captured.seconds("del big")
            captured.seconds("%mlops drain")
    here, there = (median(values) for values in times.values())
    yield "a cell that makes a frame of 1 GiB", *map(milliseconds, (here, there, there - here)), "400 ms"


def big_restored(folder: Path) -> tuple[str, ...]:
    """The last result of `big_result` in a new kernel, against a copy of it in memory."""
    with started_kernel(folder) as kernel:
        for cell in (*CAPTURE, IMPORTS, "n = 2 + 1"):
            kernel.seconds(cell)
        took = kernel.seconds(BIG) + kernel.seconds("first = float(big.to_numpy().sum())")
        kernel.seconds("%mlops capture off")
        summed = median([kernel.seconds("first = float(big.to_numpy().sum())") for _ in range(3)])
        kernel.seconds("values = np.array(big.to_numpy(), copy=True)")
        copied = median([kernel.seconds("values = np.array(values, copy=True)") for _ in range(3)])
    return (
        f"{milliseconds(copied)} (a copy)",
        milliseconds(took - summed),
        f"{ratio(took - summed, copied)} of a copy",
        "3x",
    )


def _by_turns(plain: Kernel, captured: Kernel, rounds: int, setting: str, code: str) -> tuple[list[float], list[float]]:
    """Seconds of `code` in each kernel, after `setting` with the round's number."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(-1, rounds):
        for kernel, values in zip((plain, captured), times, strict=True):
            kernel.seconds(setting.format(number))
            took = kernel.seconds(code)
            if number >= 0:
                values.append(took)
        if rounds < CELLS:
            captured.seconds("%mlops drain")
    return times


def plans() -> Iterator[tuple[str, ...]]:
    """The static plan of a notebook never run, and what of it is stale after a cell was executed."""
    with temporary_folder() as folder:
        sources = _notebook(folder / "long.ipynb")
        seconds = [_elapsed(_static_plan, _changed(sources, n)) for n in range(1, ROUNDS + 1)]
        yield (
            "static plan, no cell of it seen before",
            milliseconds(median(seconds)),
            milliseconds(max(seconds)),
            "100 ms",
        )
        command = [str(Path(sys.executable).parent / "jupyter"), "mlops", "run", "long.ipynb", "-o", "executed.ipynb"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(command, cwd=folder, capture_output=True, check=True, env={**os.environ, "PATH": path})
        with Store.open(folder) as store:
            seconds = []
            for number in range(ROUNDS + 1):
                cells = cells_of(_changed(sources, number, only=100))
                seconds.append(_elapsed(forecast, store, "long.ipynb", cells))
    seconds = seconds[1:]
    yield "what is stale after one cell changed", milliseconds(median(seconds)), milliseconds(max(seconds)), "20 ms"


def _notebook(path: Path) -> dict[str, object]:
    import nbformat

    sources = ["import math\nstart = 1"]
    for n in range(1, 200):
        sources.append(
            f"def f{n}(x):\n    return x + math.floor({n}.5)\nv{n} = [f{n}(v) for v in range(start + {n % 9})]\n"
            + (f"if v{n - 1}:\n    v{n}.append(len(v{n - 1}))\nprint(sum(v{n}))" if n > 1 else "print(v1)")
        )
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(notebook, path)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _changed(notebook: dict[str, object], number: int, only: int | None = None) -> dict[str, object]:
    """The notebook with another number in each cell, or in one."""
    changed = json.loads(json.dumps(notebook))
    for index, cell in enumerate(changed["cells"]):
        if only is None or index == only:
            text = "".join(cell["source"])
            cell["source"] = f"{text}\nchanged = {number}" if number else text
    return dict(changed)


def _static_plan(notebook: dict[str, object]) -> object:
    return edges(all_steps_of(cells_of(notebook))[0])


def _elapsed(work: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def versions() -> Sequence[str]:
    """A frame of 1e6 rows that gains one column in each of 20 versions."""
    rows = 1_000_000
    with temporary_folder() as folder, started_kernel(folder) as kernel:
        for cell in (*CAPTURE, IMPORTS):
            kernel.seconds(cell)
        kernel.seconds(f"frame = pd.DataFrame({{'c0': np.random.default_rng(0).random({rows})}})")
        for n in range(1, 20):
            kernel.seconds(f"frame = frame.assign(c{n}=np.random.default_rng({n}).random({rows}))")
        kernel.seconds("%mlops drain")
        stored = sum(item.stat().st_size for item in (folder / ".mlops" / "objects").rglob("*") if item.is_file())
    unique = 20 * 8 * rows
    shown = (f"{unique / 1e6:,.0f} MB", f"{stored / 1e6:,.0f} MB", ratio(stored, unique))
    return "20 versions of a frame, each with a column more", *shown, "1.20x"
