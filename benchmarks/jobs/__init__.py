"""Jobs by a worker with warm kernels and by one command, against papermill, nbclient, ploomber-engine, jupyter-scheduler."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from benchmarks.jobs import contenders, demo
from benchmarks.jobs.workloads import STEPS, WORKLOADS
from benchmarks.measuring import median, milliseconds, ratio, temporary_folder
from jupyter_mlops.verbs.framework.tables import table

ROUNDS = 3
BARS = {"a trivial job": 15, "a job with imports": 50, "200 trivial cells": 20, "100 cells after 5 MB": 30}
"""How many times as many jobs as papermill in process a worker must do in a minute."""


def tables() -> Iterator[Table]:
    """Seconds for one job: without reuse, then with it, then the demo's notebook as a command.

    A worker's are those of many jobs, divided by their number: it has one slot per processor, unless it says so.
    """
    missing = contenders.missing()
    peers = {name: run for name, run in contenders.PEERS.items() if name not in missing}
    times: dict[tuple[str, str], list[float]] = {}
    failed: Counter[tuple[str, str]] = Counter()
    console = Console(stderr=True, highlight=False)
    for number in range(1, ROUNDS + 1):
        for workload in WORKLOADS:
            for name, run in {**peers, **contenders.OURS}.items():
                try:
                    with temporary_folder() as folder:
                        seconds = run(workload, folder)
                except Exception as error:
                    if name not in peers:
                        raise
                    failed[name, workload.name] += 1
                    console.print(f"round {number}: {workload.name}, {name} failed: {error}", markup=False)
                else:
                    times.setdefault((name, workload.name), []).append(seconds)
                    console.print(f"round {number}: {workload.name}, {name}: {seconds:.3f} s")
    medians = {key: median(values) for key, values in times.items()}
    made = _table([*peers, "command", "worker, one slot", "worker"], medians)
    for (name, work), count in failed.items():
        made.caption = f"{made.caption or ''}{name} failed in {count} of {ROUNDS} rounds of '{work}'. "
    made.title = f"Seconds for one job, nothing reused (MLflow told, record kept); median of {ROUNDS} rounds by turns"
    for name, hint in missing.items():
        made.add_row(name, *[f"not installed: {hint}", *[""] * (len(WORKLOADS) - 1)])
    for label, name in (("papermill in process / worker", "worker"), ("papermill's command / command", "command")):
        base = "papermill" if name == "worker" else "papermill command"
        made.add_row(label, *(_ratio(medians, work.name, base, name) for work in WORKLOADS))
    made.add_row("bar for the worker", *(f"{BARS[work.name]}x" if work.name in BARS else "" for work in WORKLOADS))
    yield made
    reused = _table(["worker, reused"], medians)
    reused.title = "The same where all steps are reused"
    yield reused
    yield _recording()
    yield from demo.tables()


def _recording() -> Table:
    """What a step of a job costs in records: the notebook of trivial cells captured, and with capture switched off."""
    seconds: dict[str, list[float]] = {"off": [], "on": []}
    for _ in range(ROUNDS):
        for word, values in seconds.items():
            with temporary_folder() as folder:
                cells = (f"%mlops capture {word}", *STEPS.cells)
                values.append(contenders.OURS["worker, one slot"](replace(STEPS, cells=cells), folder))
    off, on = (median(values) for values in seconds.values())
    added = [(there - here) / len(STEPS.cells) for here, there in zip(*seconds.values(), strict=True)]
    made = table("", "capture off>", "captured>", "added for each step>", "bar>")
    made.title = (
        f"Record keeping in a job of {len(STEPS.cells)} trivial cells, one slot; median of {ROUNDS} rounds by turns"
    )
    made.add_row(
        "worker, one slot",
        milliseconds(off),
        milliseconds(on),
        milliseconds(median(added)),
        "2 ms",
    )
    return made


def _table(names: list[str], medians: dict[tuple[str, str], float]) -> Table:
    made = table("", *(f"{work.name}>" for work in WORKLOADS))
    for name in names:
        found = (medians.get((name, work.name)) for work in WORKLOADS)
        made.add_row(name, *("failed" if value is None else f"{value:.3f} s" for value in found))
    return made


def _ratio(medians: dict[tuple[str, str], float], work: str, base: str, name: str) -> str:
    return ratio(medians[base, work], medians[name, work]) if (base, work) in medians else "-"
