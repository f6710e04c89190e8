"""Much output: a cell that prints 200 MB, and one that writes a bar a million times, as a job and by papermill's engine."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.table import Table

from benchmarks.measuring import progress, ratio, temporary_folder

ROUNDS = 2
LINE = "a line of a log that goes on and on, as long as the lines of logs are wont to be, number"
WORKLOADS = {
    "200 MB in lines": f"for number in range(2_000_000):\n    print('{LINE}', f'{{number:08d}}')",
    "200 MB at once": "print('x' * 99 + '\\n' + ('y' * 99 + '\\n') * 2_000_000)",
    "1e6 prints with a carriage return": "for number in range(1_000_000):\n    print(f'\\r{number:7d} of a bar', end='')",
}
COMMANDS = {
    "papermill": ["papermill", "in.ipynb", "out.ipynb", "--no-progress-bar"],
    "jupyter mlops run": ["jupyter-mlops", "run", "in.ipynb", "-o", "out.ipynb", "--kernel-mode", "ordinary"],
}


@dataclass
class Measured:
    """Seconds, the most memory that all processes had together, and the bytes of the notebook."""

    seconds: float
    memory: int
    size: int


def tables() -> list[Table]:
    """The table; both by turns in one run."""
    table = Table(title=f"Much output in one cell (the better of {ROUNDS})")
    for name in ("workload", "", "seconds", "peak memory", "notebook"):
        table.add_column(name, justify="left" if name in ("workload", "") else "right")
    table.caption = (
        "Memory: that of the command, its kernel and all else they started, each page once (PSS), at its highest."
    )
    with progress("output") as say:
        for workload, source in WORKLOADS.items():
            found: dict[str, list[Measured | None]] = {name: [] for name in COMMANDS}
            for number in range(ROUNDS):
                for name in COMMANDS:
                    say(f"output: {workload}, {name}, round {number + 1}")
                    found[name].append(_measured(name, source))
            _rows(table, workload, found)
    return [table]


def _rows(table: Table, workload: str, found: dict[str, list[Measured | None]]) -> None:
    base: tuple[float, int] | None = None
    for name, tried in found.items():
        rounds = [each for each in tried if each is not None]
        if len(rounds) < len(tried):
            table.add_row("" if name != "papermill" else workload, name, "failed", "", "")
            continue
        seconds, memory = min(each.seconds for each in rounds), min(each.memory for each in rounds)
        if name == "papermill":
            base = seconds, memory
        compared = base if name != "papermill" else None
        table.add_row(
            workload if name == "papermill" else "",
            name,
            f"{seconds:,.1f} s" + (f" ({ratio(seconds, compared[0])})" if compared else ""),
            f"{memory / 1e6:,.0f} MB" + (f" ({ratio(memory, compared[1])})" if compared else ""),
            f"{rounds[-1].size / 1e6:,.1f} MB",
        )


def _measured(name: str, source: str) -> Measured | None:
    """None where the command failed, which the table says."""
    with temporary_folder() as folder:
        _write(folder / "in.ipynb", source)
        command, *arguments = COMMANDS[name]
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / command), *arguments],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        watch = _Watch(process.pid)
        if process.wait() != 0:
            watch.end()
            return None
        seconds = time.perf_counter() - began
        return Measured(seconds, watch.end(), (folder / "out.ipynb").stat().st_size)


class _Watch:
    """Looks at a process and all it started, until told to end."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._highest = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            try:
                family = [self._process, *self._process.children(recursive=True)]
            except psutil.Error:
                continue
            self._highest = max(self._highest, sum(map(_memory, family)))

    def end(self) -> int:
        """The most bytes at any look."""
        self._over.set()
        self._thread.join()
        return self._highest


def _memory(process: psutil.Process) -> int:
    try:
        found = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(found, "pss", found.rss))


def _write(path: Path, source: str) -> None:
    cell: dict[str, object] = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": []}
    cell |= {"execution_count": None, "source": source}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": [cell]}))
