"""The same workloads, each contender in its own form: what a cell or call costs more, and a result in a new process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from rich.table import Table

from benchmarks.measuring import Kernel, median, progress, started_kernel, temporary_folder
from benchmarks.peers.contenders import HERE, jupyter_cache
from benchmarks.peers.place import PeerError, python, run
from benchmarks.peers.traps import TRAPS
from jupyter_mlops.verbs.framework.tables import table

CELLS = 100
ROUNDS = 3
IMPORTS = "import time\nimport numpy as np\nimport pandas as pd"
TRIVIAL = "y = n + 1"
SLOW = """time.sleep(5)
frame = pd.DataFrame(np.random.default_rng(0).random((1_250_000, 10)), columns=list("abcdefghij"))"""
BIG = "big = pd.DataFrame(np.full((13_421_773, 10), 1.0), columns=list('abcdefghij'))"
TEXTS = "texts = pd.DataFrame({'t': [f'text number {i}' for i in range(1_000_000)]})"
READ_BIG = "first = big.iloc[0, 0] + n"
READ_TEXTS = "first = texts.iloc[0, 0] + str(n)"
ROWS = {
    "trivial": "a trivial cell or call, new: added",
    "again": "5 s that give a frame of 100 MB: again in a new process",
    "big": "a frame of 1 GiB is only read: added",
    "texts": "a frame with 1e6 strings is only read: added",
}
LEGEND = """\
ours: every cell of a kernel under `%mlops capture on`; marimo, joblib: a function under `persistent_cache`, `Memory.cache`
jupyter-cache: the process that brings the notebook's outputs, no values; Kishu: every cell, `again` is a check-out
added: beside a plain kernel, medians by turns; a cached function's call, new arguments each time"""
Figures = Mapping[str, float]


def table_of_all(versions_text: str) -> tuple[Table, tuple[str, ...]]:
    """The table, and what failed in it: a contender's column is then empty."""
    made = table("", *(f"{name}>" for name in _MEASURES))
    made.title = f"Speed on the same workloads\n{versions_text}"
    figures: dict[str, Figures] = {}
    gaps = []
    with progress("workloads") as told:
        for name, measure in _MEASURES.items():
            told(f"workloads of {name}")
            try:
                figures[name] = measure()
            except PeerError as error:
                figures[name] = {}
                gaps.append(f"{name} fails on the workloads: {error}")
    for row, label in ROWS.items():
        made.add_row(label, *(_shown(figures[name].get(row)) for name in _MEASURES))
    made.caption = "\n".join((LEGEND, *gaps))
    return made, tuple(gaps)


def _shown(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:,.1f} ms" if seconds < 1 else f"{seconds:,.2f} s"


def ours() -> Figures:
    """Cells of a plain and of a captured kernel by turns; then the slow cell in a new kernel."""
    with temporary_folder() as folder:
        (folder / "plain").mkdir()
        (folder / "ours").mkdir()
        with started_kernel(folder / "plain") as plain, started_kernel(folder / "ours") as captured:
            _capture(captured)
            for kernel in (plain, captured):
                kernel.seconds(IMPORTS)
            figures = {"trivial": _added(plain, captured, CELLS, TRIVIAL)}
            captured.seconds(SLOW)
            for row, making, reading in (("big", BIG, READ_BIG), ("texts", TEXTS, READ_TEXTS)):
                for kernel in (plain, captured):
                    kernel.seconds(making)
                captured.seconds("%mlops drain")
                figures[row] = _added(plain, captured, ROUNDS, reading)
        with started_kernel(folder / "ours") as kernel:
            _capture(kernel)
            kernel.seconds(IMPORTS)
            figures["again"] = kernel.seconds(SLOW) + kernel.seconds("first = frame.iloc[0, 0]")
    return figures


def _capture(kernel: Kernel) -> None:
    for setting in ("%load_ext jupyter_mlops", "%mlops capture on"):
        kernel.seconds(setting)


def _added(plain: Kernel, captured: Kernel, rounds: int, code: str) -> float:
    added = []
    for number in range(-1, rounds):
        times = []
        for kernel in (plain, captured):
            kernel.seconds(f"n = {number}")
            times.append(kernel.seconds(code))
        if number >= 0:
            added.append(times[1] - times[0])
    return median(added)


_FUNCTIONS = """
import json, sys
{imports}
{top}
@{cache}
def trivial(n):
    {trivial}
    return y
@{cache}
def slow():
    {slow}
    return frame
@{cache}
def read_big(big, n):
    {read_big}
    return first
@{cache}
def read_texts(texts, n):
    {read_texts}
    return first
def seconds(function, *arguments):
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began
def middle(values):
    return sorted(values)[len(values) // 2]
figures = {{"again": seconds(slow)}}
if not list(__import__("pathlib").Path().glob("second")):
    figures["trivial"] = middle([seconds(trivial, n) for n in range({cells})])
    {big}
    figures["big"] = middle([seconds(read_big, big, n) for n in range({rounds})])
    {texts}
    figures["texts"] = middle([seconds(read_texts, texts, n) for n in range({rounds})])
with open("figures.json", "w") as file:
    json.dump(figures, file)
"""


def _functions(top: str, cache: str, name: str) -> Figures:
    """A script of cached functions, run twice; marimo's is the one cell of a notebook, as it does not cache outside."""
    script = _FUNCTIONS.format(
        imports=IMPORTS,
        top=top,
        cache=cache,
        trivial=TRIVIAL,
        slow=SLOW.replace("\n", "\n    "),
        read_big=READ_BIG,
        read_texts=READ_TEXTS,
        big=BIG,
        texts=TEXTS,
        cells=CELLS,
        rounds=ROUNDS,
    )
    if name == "marimo":
        script = _as_marimo(script)
    with temporary_folder() as folder:
        (folder / "script.py").write_text(script, encoding="utf-8")
        figures: dict[str, float] = {}
        for second in (False, True):
            if second:
                (folder / "second").touch()
            run([str(python()), "script.py"], folder, timeout=600)
            figures |= json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return figures


def _as_marimo(script: str) -> str:
    """Each function a cell of its own, the rest one more: marimo caches what is not in the same cell as its use."""
    first, *others = script.split("@mo.persistent_cache\n")
    last, rest = others[-1].split("def seconds", 1)
    cells = [first, *(f"@mo.persistent_cache\n{text}" for text in (*others[:-1], last)), f"def seconds{rest}"]
    functions = "\n\n".join(
        "@app.cell\ndef _():\n" + "\n".join(f"    {line}" for line in cell.splitlines()) + "\n    return\n"
        for cell in cells
    )
    return f"import marimo\n\napp = marimo.App()\n\n{functions}\nif __name__ == '__main__':\n    app.run()\n"


def _jupyter_cache() -> Figures:
    """A notebook with the slow cell, executed, then taken from the cache: all of a process."""
    cells = (IMPORTS, SLOW, "print(frame.iloc[0, 0])")
    with temporary_folder() as folder:
        jupyter_cache(TRAPS[0], cells, folder, {})
        began = time.perf_counter()
        jupyter_cache(TRAPS[0], cells, folder, {})
        return {"again": time.perf_counter() - began}


def _kishu() -> Figures:
    """Cells of a plain kernel and of one under Kishu, and a check-out in a new one."""
    told = {
        "imports": IMPORTS,
        "trivial": TRIVIAL,
        "cells": 20,
        "rounds": 1,  # it takes minutes
        "slow": SLOW,
        "reads": [["big", BIG, READ_BIG], ["texts", TEXTS, READ_TEXTS]],
    }
    with temporary_folder() as folder:
        command = [str(python()), str(HERE / "kishu_worker.py"), str(folder), json.dumps(told)]
        printed = run(command, folder, environment={"KISHU_PATH_ROOT": str(folder)}, timeout=900)
    return dict(json.loads(printed.splitlines()[-1]))


_MEASURES: Mapping[str, Callable[[], Figures]] = {
    "ours": ours,
    "marimo": lambda: _functions("import marimo as mo", "mo.persistent_cache", "marimo"),
    "joblib": lambda: _functions(
        "import joblib\nmemory = joblib.Memory('.joblib', verbose=0)", "memory.cache", "joblib"
    ),
    "jupyter-cache": _jupyter_cache,
    "Kishu": _kishu,
}
