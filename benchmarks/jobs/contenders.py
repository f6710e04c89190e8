"""Each way to run a notebook: a function of workload and folder that gives the seconds for one job."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.jobs.workloads import Workload
from benchmarks.measuring import BenchmarkError
from jupyter_mlops.domain.run import RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.jobs.detached import default_slots
from jupyter_mlops.operations.runs.submit import submit
from jupyter_mlops.store.store import Store

Run = Callable[[Workload, Path], float]
WAIT_SECONDS = 600.0
_BIN = Path(sys.executable).parent


def _repeated(run: Callable[[Path, Path], object], *, is_base: bool = False) -> Run:
    """One after the other, or at once in threads."""

    def timed(workload: Workload, folder: Path) -> float:
        path, jobs = workload.write(folder), workload.base_jobs if is_base else workload.peer_jobs
        began = time.perf_counter()
        with ThreadPoolExecutor(workload.at_once) as threads:
            list(threads.map(lambda n: run(path, folder / f"out{n}.ipynb"), range(jobs)))
        return (time.perf_counter() - began) / jobs

    return timed


def _papermill(path: Path, output: Path) -> None:
    import papermill

    papermill.execute_notebook(str(path), str(output), progress_bar=False)


def _nbclient(path: Path, output: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}).execute()
    nbformat.write(notebook, output)


def _ploomber(path: Path, output: Path) -> None:
    from ploomber_engine import execute_notebook

    execute_notebook(str(path), str(output), progress_bar=False)


def _jupyter_scheduler(path: Path, output: Path) -> None:
    """What its executor does in the process it starts for each job."""
    code = (
        "import sys, nbformat\nfrom nbconvert.preprocessors import ExecutePreprocessor\n"
        "import jupyter_scheduler.executors\n"
        "notebook = nbformat.read(sys.argv[1], as_version=4)\n"
        "ExecutePreprocessor(kernel_name='python3').preprocess(notebook, {'metadata': {'path': '.'}})\n"
        "nbformat.write(notebook, sys.argv[2])\n"
    )
    _command([sys.executable, "-c", code, str(path), str(output)], path.parent)


def _command(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise BenchmarkError(
            f"{' '.join(command[:3])} ended with {done.returncode}: {done.stderr[-500:]}", "Run it alone."
        )


PEERS: dict[str, Run] = {
    "papermill": _repeated(_papermill, is_base=True),
    "papermill command": _repeated(
        lambda path, output: _command(["papermill", str(path), str(output), "--no-progress-bar"], path.parent)
    ),
    "nbclient": _repeated(_nbclient),
    "ploomber-engine": _repeated(_ploomber),
    "jupyter-scheduler": _repeated(_jupyter_scheduler),
}
_OPTIONAL = {"ploomber-engine": "ploomber_engine", "jupyter-scheduler": "jupyter_scheduler"}


def missing() -> dict[str, str]:
    """Peers that are not installed, and how they are."""
    return {name: f"pip install {name}" for name, module in _OPTIONAL.items() if not importlib.util.find_spec(module)}


@contextmanager
def _worker(folder: Path, slots: int) -> Iterator[Store]:
    """A project with a worker at work on it."""
    (folder / ".mlops").mkdir()
    command = [sys.executable, "-m", "jupyter_mlops.jobs.worker", str(folder), "--slots", str(slots)]
    log = (folder / "worker.log").open("wb")
    with log, Store.open(folder) as store:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder / ".mlops")
        try:
            while not store.queue.workers():  # else the first request would start a second worker
                time.sleep(0.02)
            yield store
        finally:
            process.terminate()
            process.wait(60)


def _done(store: Store, path: Path, count: int, options: RunOptions) -> float:
    """Seconds from the first request until all jobs are completed and MLflow has been told of them."""
    began = time.perf_counter()
    runs = [submit(store, path, {}, options=options) for _ in range(count)]
    while store.queue.waiting() or store.runs.at_work() or store.outbox.size():
        if time.perf_counter() - began > WAIT_SECONDS:
            raise BenchmarkError("The worker did not end its jobs in time.", "See worker.log.")
        time.sleep(0.05)
    seconds = time.perf_counter() - began
    for run in map(store.runs.get, (run.id for run in runs)):
        if run.status is not Status.COMPLETED or run.tags.get("kernel_kind") != "warm":
            raise BenchmarkError(f"Run {run.number} {run.status}: {run.error} {run.tags}", "See its log.")
    return seconds


def _by_worker(*, reuse: bool = False, slots: int | None = None) -> Run:
    def timed(workload: Workload, folder: Path) -> float:
        path = workload.write(folder)
        options = RunOptions(force=None if reuse else "*")
        with _worker(folder, slots or default_slots()) as store:
            _done(store, path, 1, options)  # loads the imports, and starts what tells MLflow
            return _done(store, path, workload.jobs, options) / workload.jobs

    return timed


OURS: dict[str, Run] = {
    "command": _repeated(
        lambda path, output: _command(["jupyter", "mlops", "run", str(path), "-o", str(output)], path.parent)
    ),
    "worker": _by_worker(),
    "worker, one slot": _by_worker(slots=1),
    "worker, reused": _by_worker(reuse=True),
}
