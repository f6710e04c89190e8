"""Makes a project with a history: `python maker.py FOLDER RUNS`, in the build that is first on the path.

Five notebooks are executed as jobs, truly; the runs after that are these again as a year of work would have them: mostly
reused, some executed, some with edited code, some failed, all put in through the store.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from jupyter_mlops.domain.run import Run, RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.store.store import Store
from jupyter_mlops.tracking import lock_path

try:
    from jupyter_mlops.store.files.locks import try_file_lock
except ImportError:  # an earlier build
    from jupyter_mlops.store.locks import try_file_lock

NOTEBOOKS = tuple(f"study_{number}.ipynb" for number in range(5))
BETWEEN = timedelta(minutes=30)
PENDING_SECONDS = 120
FAILED_EVERY, EDITED_EVERY, EXECUTED_EVERY = 20, 25, 4
BATCH = 400
CELLS = (
    ("rate: float = 0.1\nrounds: int = {number} + 20", ["parameters"]),
    ("import math", []),
    ("%%step load\nrows = [(n, math.sin(n)) for n in range(rounds * 10)]", []),
    ("%%step clean\nkept = [row for row in rows if row[1] > -0.9]", []),
    ("%%step split\ncut = len(kept) // 2\nfirst, second = kept[:cut], kept[cut:]", []),
    ("%%step features\nwide = [(n, value, value * value) for n, value in first]", []),
    ("scale = max(row[2] for row in wide)", []),
    ("%%step train --metrics loss\nweight = sum(row[1] for row in wide) * rate\nloss = weight / scale", []),
    ("%%step evaluate --metrics score\nscore = sum(weight * value for _, value in second)", []),
    ("print(f'{{score:.3f}} {{loss:.3f}}')", []),
)


def main() -> None:
    """Make the folder's history."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    for number, name in enumerate(NOTEBOOKS):
        _write(folder / name, number)
        command = [sys.executable, "-m", "jupyter_mlops.cli.main", "run", name]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    with Store.open(folder) as store, _alone(store):
        made = _patterns(store, count)
        batch: list[StepRun] = []
        for number in range(len(NOTEBOOKS), count):
            batch += _again(store, number, made, count)
            if len(batch) > BATCH:
                store.steps.record(*batch)
                batch = []
        if batch:
            store.steps.record(*batch)
        while waiting := store.outbox.take(limit=5000):
            store.outbox.done([message.id for message in waiting])


def _write(path: Path, number: int) -> None:
    cells = [
        {
            "cell_type": "code",
            "id": f"{index:08x}",
            "execution_count": None,
            "metadata": {"tags": tags},
            "outputs": [],
            "source": source.format(number=number),
        }
        for index, (source, tags) in enumerate(CELLS)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


@contextlib.contextmanager
def _alone(store: Store) -> Iterator[None]:
    """MLflow is told by a process of its own: when that has ended, its lock is held, so that none tells it of the rest."""
    until = time.monotonic() + PENDING_SECONDS
    while True:
        with try_file_lock(lock_path(store.root)) as free:
            if free or time.monotonic() > until:
                yield
                return
        time.sleep(0.5)


def _patterns(store: Store, count: int) -> dict[str, tuple[Run, list[StepRun]]]:
    """The run of each notebook that was executed, set back to when the history began."""
    patterns: dict[str, tuple[Run, list[StepRun]]] = {}
    back = BETWEEN * count
    for run in store.runs.list():
        steps = sorted(store.steps.runs(run_id=run.id), key=lambda step: step.position)
        store.runs.update(
            run.id, **{name: getattr(run, name) - back for name in ("created_at", "started_at", "ended_at")}
        )
        for step in steps:
            store.steps.update_run(step.id, started_at=step.started_at - back, ended_at=step.ended_at - back)
        patterns[run.notebook] = run, steps
    return patterns


def _again(store: Store, number: int, made: dict[str, tuple[Run, list[StepRun]]], count: int) -> Iterator[StepRun]:
    """Another run of one of the notebooks: gives its step runs."""
    pattern, steps = made[NOTEBOOKS[number % len(NOTEBOOKS)]]
    turn = number // len(NOTEBOOKS)
    failed = turn % FAILED_EVERY == FAILED_EVERY - 1
    edited = turn % EDITED_EVERY == EDITED_EVERY - 1
    back = BETWEEN * (count - number - 1)
    error = RunFailure("cell_error", "ValueError: no rows are left", 7, "train", "ValueError", "no rows are left")
    run = replace(
        pattern,
        id=store.new_id(),
        status=Status.FAILED if failed else Status.COMPLETED,
        error=error if failed else None,
        metrics={} if failed else {**pattern.metrics, "score": number / count},
        parameters={"rate": 0.1 + turn % 7 / 100, "rounds": 20 + turn % 5},
        **{name: getattr(pattern, name) - back for name in ("created_at", "started_at", "ended_at")},
    )
    run = store.runs.create(run)
    for step in steps:
        if failed and step.step == "evaluate":
            return
        yield _step_again(store, run, step, turn, failed=failed, edited=edited)


def _step_again(store: Store, run: Run, step: StepRun, turn: int, *, failed: bool, edited: bool) -> StepRun:
    times = {"started_at": run.started_at, "ended_at": run.ended_at}
    again = replace(step, id=store.new_id(), run_id=run.id, **times)
    if edited and step.step in ("train", "evaluate"):
        code = f"{store.steps.source(step)}\n# edit {turn}\nedit = {turn}"
        digest = f"{turn:08x}{step.version_digest[8:]}"
        version = store.steps.version(run.notebook, step.step, digest, code, now=run.created_at)
        changed = {"code": digest}
        return replace(
            again,
            version=version.number,
            version_digest=digest,
            key=f"{turn:08x}{step.key[8:]}",
            why="its code changed",
            ingredients={**step.ingredients, **changed},
        )
    if failed and step.step == "train":
        return replace(again, status=Status.FAILED, result=None, outputs={}, error="ValueError: no rows are left")
    if turn % EXECUTED_EVERY == 0:
        return again
    return replace(again, status=Status.REUSED, reused_from=step.id, why="nothing it depends on changed")


if __name__ == "__main__":
    main()
