"""Runs executed in processes that know the project and the run only: all they meet their worker in is the index."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from notebooks import code, read, statuses, write_notebook
from workers import ended, until

from jupyter_mlops.domain.run import Run, RunKind, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.jobs.executors.futures import FuturesExecutor
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import enqueue
from jupyter_mlops.jobs.worker.worker import WorkLoop
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel


@contextmanager
def at_work(store: Store) -> Iterator[int]:
    """A worker in a thread, whose runs are executed in another process: its pid."""
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    pid = pool.submit(os.getpid).result()
    loop = WorkLoop(store, slots=1, executor=FuturesExecutor(store.root, pool))
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    yield pid
    loop.stop()
    thread.join(60)
    assert not thread.is_alive()


def begun(store: Store) -> Run:
    """A run in the middle of its long cell."""
    path = write_notebook(
        store.root / "a.ipynb",
        code("x = 1"),
        code("import os, pathlib, time\npathlib.Path('begun').write_text(str(os.getpid()))\ntime.sleep(100)"),
        code("y = 2"),
    )
    run = enqueue(store, check_request(path, {}), kind=RunKind.JOB, now=store.now())
    until(lambda: (store.root / "begun").exists() and (store.root / "begun").read_text())
    return run


def test_a_word_in_the_index_alone_stops_an_execution_in_another_process(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, at_work(store) as pid:
        run = begun(store)
        kernel = int((tmp_path / "begun").read_text())
        assert pid in (parent.pid for parent in psutil.Process(kernel).parents())
        began = time.monotonic()
        assert store.queue.ask_to_stop(run.id, "as asked")
        run = ended(store, run)
        assert time.monotonic() - began < 5.0
        assert run.error is not None
        assert (run.status, run.error.cause, run.error.cell_index) == (Status.CANCELED, "canceled", 1)
        assert "as asked" in run.error.message
        assert statuses(read(tmp_path / str(run.output_path))) == ["completed", "failed", "pending"]
        until(lambda: not processes.is_alive(kernel, None))


def test_an_execution_whose_run_another_worker_may_have_stops_by_itself(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, at_work(store):
        run = begun(store)
        kernel = int((tmp_path / "begun").read_text())
        store.runs.update(run.id, options=RunOptions(attempts=0))
        assert store.queue.lose(store.runs.get(run.id), now=store.now(), why="taken for gone")
        until(lambda: not processes.is_alive(kernel, None))
        assert store.runs.get(run.id).status is Status.LOST
