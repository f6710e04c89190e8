"""Kernels and workers on a store in PostgreSQL and S3: several processes, on what could be several machines."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from notebooks import code, write_notebook
from postgresql import Cluster
from s3server import S3Server

from jupyter_mlops.domain.reason import NO_REASONS
from jupyter_mlops.domain.status import Status
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import enqueue
from jupyter_mlops.operations.store.verify import verify_store
from jupyter_mlops.store import open_store

pytestmark = pytest.mark.kernel


@pytest.fixture
def places(tmp_path: Path, postgresql: Cluster, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders, as two machines have them, of one project."""
    monkeypatch.setenv("MLOPS_STORE", postgresql.url("churn_" + os.urandom(4).hex()))
    monkeypatch.setenv("MLOPS_OBJECTS", s3.new_bucket())
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    return tmp_path / "a", tmp_path / "b"


def until_saved(folder: Path, count: int) -> None:
    """Wait until results are stored, and the steps that they are of may be reused."""
    end = time.monotonic() + 60
    with open_store(folder) as store:
        while sum(step.result is not None for step in store.steps.runs()) < count:
            assert time.monotonic() < end
            time.sleep(0.2)
        assert [step.unrepeatable for step in store.steps.runs()] == [NO_REASONS] * count


def test_what_one_machine_computed_another_reuses(places: tuple[Path, Path], start_kernel: Callable[..., Any]) -> None:
    large = "%%step make\nimport numpy as np\nx = np.arange(3_000_000)\nx[1] = 7"
    beside = "%%step wait\nimport time\ntime.sleep(1)\ny = 1"  # what is sent meanwhile is none of its doing
    total = "%%step total\ntotal = int(x.sum())"
    first = start_kernel(places[0])
    assert [first.run(cell).reused for cell in (large, beside, total)] == [False] * 3
    until_saved(places[0], 3)
    first.close()
    second = start_kernel(places[1])
    cells = [second.run(cell) for cell in (large, beside, total)]
    assert [cell.reused for cell in cells] == [True] * 3
    assert second.run("print(total, x[1])").text == "4499998500006 7\n"
    second.close()
    with open_store(places[1]) as store:
        assert verify_store(store, now=store.now()).is_sound


def test_workers_of_several_processes_execute_each_run_once(places: tuple[Path, Path]) -> None:
    folder = places[0]
    notebook = write_notebook(folder / "job.ipynb", code("n = 1", "parameters"), code("made = n * n", "step:square"))
    with open_store(folder) as store:
        asked = [enqueue(store, check_request(notebook, {"n": n}), kind="job", now=store.now()) for n in range(6)]
        command = [sys.executable, "-m", "jupyter_mlops.cli.main", "worker", "--slots", "2", "--drain"]
        workers = [subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) for _ in range(2)]
        assert [worker.wait(180) for worker in workers] == [0, 0]
        runs = [store.runs.get(run.id) for run in asked]
        assert [run.status for run in runs] == [Status.COMPLETED] * 6
        done = [step for run in runs for step in store.steps.runs(run_id=run.id, step="square")]
        assert len(done) == 6
        assert verify_store(store, now=store.now()).is_sound
