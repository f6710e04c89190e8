"""What a long history costs: verbs and routes with 10, 1,000 and 10,000 runs, and beside them those of an earlier build."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.history.builds import EARLIER, Asker, Build, Server, builds, closing, make_histories
from benchmarks.measuring import BenchmarkError, milliseconds, progress, temporary_folder
from jupyter_mlops.verbs.framework.tables import table

COUNTS = (10, 1_000, 10_000)
ROUNDS, ROUNDS_EARLIER, ROUNDS_COLD = 61, 3, 5
HIGHEST_RATIO = 1.3
"""To the time with ten runs."""
LEAST_GAIN = 20
"""Of what took the earlier build more than `GREW` times as long with the longest history as with ten runs."""
GREW = 20
NOTEBOOK = "study_0.ipynb"
EDITED = f"{2:08x}"
"""The cell of its step `load`."""
WRITTEN_BY_PAPERMILL = {"start_time": "2026-11-21T12:00:00", "output_path": "of/no/run.ipynb"}
VERBS = {
    "status": ("status", NOTEBOOK),
    "runs, a page of ten": ("runs", "-n", "10"),
    "log": ("log", "train", "-n", "2", "--notebook", NOTEBOOK),
    "log, any notebook": ("log", "train", "-n", "2"),
    "steps": ("steps",),
    "plan": ("plan", "--notebook", NOTEBOOK),
    "why": ("why", "train", "--notebook", NOTEBOOK),
}
COLD = {"status, command": VERBS["status"], "runs, command": VERBS["runs, a page of ten"]}
Times = dict[Build, dict[int, list[float]]]


@dataclass
class Asked:
    """What is timed, and the seconds it took: build → number of runs → each time."""

    times: dict[str, Times] = field(default_factory=dict)

    def note(self, name: str, build: Build, count: int, seconds: float) -> None:
        """Keep one time."""
        self.times.setdefault(name, {}).setdefault(build, {}).setdefault(count, []).append(seconds)


def tables() -> Iterator[Table]:
    """The least of several times, by turns, and its ratio to that of ten runs.

    Raises `BenchmarkError` where a history costs more than it may.
    """
    now, earlier = builds()
    asked = Asked()
    with temporary_folder() as folder, progress("making histories of both builds") as tell:
        made = {count: make_histories(count, folder, now, earlier) for count in COUNTS}
        tell("asking the verbs")
        _time_verbs(asked, made, now, earlier)
        tell("asking the commands")
        _time_commands(asked, made, now)
        tell("asking the servers")
        _time_routes(asked, made, now, earlier)
    yield _table(asked.times, now, earlier)
    missed = [*_missed(asked.times, now, earlier)]
    if missed:
        raise BenchmarkError("; ".join(missed), "Run it again where the machine was busy: `make bench history`.")


Histories = Mapping[int, Mapping[Build, Path]]


def _time_verbs(asked: Asked, made: Histories, now: Build, earlier: Build) -> None:
    askers = {(build, count): Asker(build, made[count][build]) for build in (now, earlier) for count in COUNTS}
    with closing(list(askers.values())):
        for turn in range(ROUNDS + 1):
            for name, words in VERBS.items():
                for (build, count), asker in askers.items():
                    if build == now or turn <= ROUNDS_EARLIER:
                        seconds = asker.seconds(words)
                        if turn:  # the first imports
                            asked.note(name, build, count, seconds)


def _time_commands(asked: Asked, made: Histories, now: Build) -> None:
    for name, words in COLD.items():
        for _ in range(ROUNDS_COLD):
            for count in COUNTS:
                began = time.perf_counter()
                command = [sys.executable, "-m", "jupyter_mlops.cli.main", *words]
                subprocess.run(command, cwd=made[count][now], env=now.environment(), check=True, capture_output=True)
                asked.note(name, now, count, time.perf_counter() - began)


def _time_routes(asked: Asked, made: Histories, now: Build, earlier: Build) -> None:
    with ExitStack() as stack:
        servers: dict[tuple[Build, int], Server] = {}
        for build in (now, earlier):
            for count in COUNTS:
                servers[build, count] = server = Server(build, made[count][build])
                stack.callback(server.close)
        for (build, count), server in servers.items():
            asked.note(
                "POST status, the first", build, count, server.seconds("POST", "status", _body(made[count][build]))
            )
        for turn in range(ROUNDS):
            for (build, count), server in servers.items():
                if build == now or turn < ROUNDS_EARLIER:
                    for name, request in _requests(made[count][build], count).items():
                        asked.note(name, build, count, server.seconds(*request))


def _requests(folder: Path, count: int) -> dict[str, tuple[Any, ...]]:
    return {
        "POST status": ("POST", "status", _body(folder)),
        "POST status, a cell edited": ("POST", "status", _body(folder, edit=f"edited = {time.monotonic_ns()}")),
        "POST status of a copy": ("POST", "status", {**_body(folder), "papermill": WRITTEN_BY_PAPERMILL}),
        "GET runs, a page of ten": ("GET", "runs?limit=10"),
        "GET runs/RUN": ("GET", f"runs/{count - 3}"),
    }


def _body(folder: Path, edit: str = "") -> dict[str, Any]:
    """The notebook as the panel sends it; with `edit` in its step `load`."""
    cells = json.loads((folder / NOTEBOOK).read_text())["cells"]
    sent = [
        {
            "index": index,
            "id": cell["id"],
            "kind": cell["cell_type"],
            "source": f"{cell['source']}\n{edit}".rstrip() if cell["id"] == EDITED else cell["source"],
            "tags": cell["metadata"]["tags"],
        }
        for index, cell in enumerate(cells)
    ]
    return {"path": NOTEBOOK, "cells": sent}


def _table(times: Mapping[str, Times], now: Build, earlier: Build) -> Table:
    shown = [f"{count:,} runs>" for count in COUNTS]
    made = table("", *shown, "ratio to ten>", f"{EARLIER}, {COUNTS[-1]:,} runs>", "its ratio>", "faster>")
    made.title = (
        f"A history of {', '.join(f'{count:,}' for count in COUNTS)} runs: the least of {ROUNDS} times, by turns"
    )
    made.caption = (
        f"bars: the ratio at most {HIGHEST_RATIO}, and at least {LEAST_GAIN} times as fast as {EARLIER} where that grew"
        f" {GREW} times"
    )
    for name, of in times.items():
        here = {count: min(of[now][count]) for count in COUNTS}
        row = [milliseconds(here[count]) for count in COUNTS]
        row.append(f"{here[COUNTS[-1]] / here[COUNTS[0]]:.2f}x")
        if earlier in of:
            there = min(of[earlier][COUNTS[-1]])
            row += [
                milliseconds(there),
                f"{there / min(of[earlier][COUNTS[0]]):.1f}x",
                f"{there / here[COUNTS[-1]]:.1f}x",
            ]
        made.add_row(name, *row)
    return made


def _missed(times: Mapping[str, Times], now: Build, earlier: Build) -> Iterator[str]:
    """Which bars were missed; the first answer of a server is shown alone, as it is one time."""
    for name, of in times.items():
        here = {count: min(of[now][count]) for count in COUNTS}
        ratio = here[COUNTS[-1]] / here[COUNTS[0]]
        if ratio > HIGHEST_RATIO and "first" not in name:
            yield f"{name} takes {ratio:.2f} times as long with {COUNTS[-1]:,} runs as with {COUNTS[0]}"
        if earlier in of:
            there = min(of[earlier][COUNTS[-1]])
            grew = there / min(of[earlier][COUNTS[0]])
            if grew > GREW and there / here[COUNTS[-1]] < LEAST_GAIN:
                yield f"{name} is only {there / here[COUNTS[-1]]:.1f} times as fast as {EARLIER}"
