"""A storm: workers, and now and then a kernel, are killed while they execute jobs; then the books are checked.

Each job is a chain of runs: the one that was asked for, and those that took it up. A job is lost where no run of its chain
completed, and a duplicate where more than one did. A result is lost where a step had it in the index when its worker was
killed, and was executed once more.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa
from notebooks import code, read, shown, write_notebook
from workers import end_tree

from jupyter_mlops.domain.run import Run, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import enqueue
from jupyter_mlops.operations.runs.jobs import retry_job
from jupyter_mlops.store.db.schema import runs
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.queue import is_leased

NOTEBOOKS = 4
MOMENTS = ("claimed", "kernel", "first", "second", "third", "ended")
"""When a run's worker is killed: at once, when its notebook is prepared, within a step, or right after its end."""
KERNEL_SHARE = 0.15
"""How often a kernel is killed in place of a worker."""
PATIENCE = 180.0
"""Seconds without any job completing after which the storm gives up."""


@dataclass
class Books:
    """What came of a storm."""

    kills: int = 0
    jobs: int = 0
    runs: int = 0
    taken_up: int = 0
    lost: list[int] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)
    results_lost: list[str] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    """Jobs whose executed notebook does not show what it must."""
    seconds: float = 0.0

    @property
    def are_right(self) -> bool:
        """Whether each job completed exactly once, and nothing is lost."""
        return not (self.lost or self.duplicates or self.results_lost or self.wrong)

    def __str__(self) -> str:
        return (
            f"{self.jobs} jobs, {self.kills} kills, {self.runs} runs ({self.taken_up} took up another) "
            f"in {self.seconds:.0f} s\n"
            f"lost jobs: {len(self.lost)}  duplicates: {len(self.duplicates)}  "
            f"results lost: {len(self.results_lost)}  wrong outputs: {len(self.wrong)}"
        )


class Storm:
    """One storm over a project in `folder`; the same `seed` chooses the same victims where the machine is as fast."""

    def __init__(self, folder: Path, *, kills: int, jobs: int, workers: int, seed: int) -> None:
        self.store = Store.open(folder)
        self._random = random.Random(seed)
        self._kills = kills
        self._jobs = jobs
        self._books = Books()
        self._finished: dict[str, set[str]] = {}
        """Run → steps whose results were in the index when its worker or kernel was killed."""
        self._asked: list[Run] = []
        self._retried: set[str] = set()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            ["jupyter_mlops.jobs.worker.worker", "jupyter_mlops.store.db.sqlite", "nbclient"]
        )
        self._workers: list[Any] = [None] * workers
        self._notebooks = [_notebook(folder / f"n{number}.ipynb", number) for number in range(NOTEBOOKS)]

    def run(self) -> Books:
        """Let it rage; gives the books."""
        began = progress = time.monotonic()
        completed = 0
        try:
            while not self._is_over():
                self._tend()
                self._strike()
                found = len(self._ids(Status.COMPLETED))
                if found != completed:
                    completed, progress = found, time.monotonic()
                if time.monotonic() - progress > PATIENCE:
                    logging.error("Nothing completes any more.")
                    break
                time.sleep(0.02)
        finally:
            for process in self._workers:
                if process is not None:
                    end_tree(process.pid)
        self._books.seconds = time.monotonic() - began
        self._check()
        self.store.close()
        return self._books

    def _tend(self) -> None:
        self._start_missing()
        self._ask()
        self._retry()

    def _is_over(self) -> bool:
        if self._books.kills < self._kills or len(self._asked) < self._jobs:
            return False
        return not self.store.runs.open() and not self._to_retry()

    def _start_missing(self) -> None:
        for place, process in enumerate(self._workers):
            if process is None or not process.is_alive():
                started = self._context.Process(target=_work, args=(str(self.store.root),))
                started.start()
                self._workers[place] = started

    def _ask(self) -> None:
        """Keep some jobs waiting until all were asked for, and beyond that as long as there are kills to come."""
        more = len(self._asked) < self._jobs or self._books.kills < self._kills
        while more and self.store.queue.waiting() < 2 * len(self._workers):
            number = len(self._asked)
            request = check_request(self._notebooks[number % NOTEBOOKS], {"job": number})
            options = RunOptions(attempts=10**6)
            self._asked.append(
                enqueue(
                    self.store,
                    request,
                    kind="job",
                    now=self.store.now(),
                    options=options,
                    priority=self._random.randrange(3),
                )
            )
            more = len(self._asked) < self._jobs or self._books.kills < self._kills

    def _to_retry(self) -> list[Run]:
        """Runs whose kernel was killed have failed, and that is said; asking for them again is the user's part."""
        failed = [self.store.runs.get(run_id) for run_id in self._ids(Status.FAILED) - self._retried]
        return [run for run in failed if run.error and run.error.cause in ("kernel_died", "out_of_memory")]

    def _ids(self, status: Status) -> set[str]:
        """Of all runs that are so; `list` would count the steps of each."""
        with self.store.index.read() as connection:
            return set(connection.execute(sa.select(runs.c.id).where(runs.c.status == status.value)).scalars())

    def _retry(self) -> None:
        for run in self._to_retry():
            self._retried.add(run.id)
            retry_job(self.store, run.id)

    def _leased(self) -> list[Run]:
        """The runs that workers hold."""
        return [run for run in self.store.runs.at_work() if is_leased(run)]

    def _strike(self) -> None:
        """Kill the worker of a run at work, or its kernels, at some moment of it."""
        held = self._leased()
        if self._books.kills >= self._kills or not held:
            return
        run = self._random.choice(held)
        self._wait_for(run, self._random.choice(MOMENTS))
        time.sleep(self._random.uniform(0.0, 0.05))
        pid = int(run.pid or 0)
        if not any(process is not None and process.pid == pid and process.is_alive() for process in self._workers):
            return
        for each in self._leased():
            if each.pid == pid:
                self._finished[each.id] = {
                    step.step for step in self.store.steps.runs(run_id=each.id) if step.result is not None
                }
        if self._random.random() >= KERNEL_SHARE:
            with contextlib.suppress(ProcessLookupError):  # it may be dying of the last strike
                os.kill(pid, signal.SIGKILL)
                self._books.kills += 1
        else:
            self._books.kills += _kill_kernel(pid, self._random)

    def _wait_for(self, run: Run, moment: str) -> None:
        """Until a run has come so far, or further, or nothing more is to be expected of it."""
        end = time.monotonic() + 20.0
        while moment != "claimed" and time.monotonic() < end:
            self._tend()
            found = self.store.runs.get(run.id)
            if (
                found.status.ended
                or found.progress.step == moment
                or (moment == "kernel" and found.progress.cells_total)
            ):
                return
            time.sleep(0.01)

    def _check(self) -> None:
        books, known = self._books, {run.id: run for run in self.store.runs.list()}
        following: dict[str | None, list[Run]] = {}
        for run in known.values():
            following.setdefault(run.resumes, []).append(run)
        books.jobs, books.runs = len(self._asked), len(known)
        for job in self._asked:
            chain, waiting = [], [known[job.id]]
            while waiting:
                run = waiting.pop()
                chain.append(run)
                waiting += following.get(run.id, [])
            books.taken_up += len(chain) - 1
            done = [run for run in chain if run.status is Status.COMPLETED]
            if not done:
                books.lost.append(job.number)
            elif len(done) > 1:
                books.duplicates.append(job.number)
            else:
                self._check_output(done[0])
            self._check_results(chain)

    def _check_results(self, chain: list[Run]) -> None:
        finished: set[str] = set()
        for run in sorted(chain, key=lambda run: run.number):
            for step in self.store.steps.runs(run_id=run.id):
                if step.step in finished and step.status is not Status.REUSED:
                    self._books.results_lost.append(f"{step.step} of run {run.number}")
            finished |= self._finished.get(run.id, set())

    def _check_output(self, run: Run) -> None:
        notebook = read(self.store.root / str(run.output_path))
        job = int(run.parameters["job"])
        if shown(notebook["cells"][-1]).strip() != str((job + 1) * 3 + job):
            self._books.wrong.append(run.number)


def _kill_kernel(pid: int, chance: random.Random) -> int:
    """Kill a process that a worker started; gives how many."""
    try:
        children = psutil.Process(pid).children(recursive=True)
        if not children:
            return 0
        chance.choice(children).kill()
    except psutil.Error:
        return 0
    return 1


def _notebook(path: Path, number: int) -> Path:
    return write_notebook(
        path,
        code("job = 0", "parameters"),
        code(f"%%step first\n# notebook {number}\na = job + 1"),
        code("%%step second\nimport time\ntime.sleep(0.05)\nb = a * 3"),
        code("%%step third\nc = b + job\nprint(c)"),
    )


def _work(root: str) -> None:
    """A worker's process."""
    from jupyter_mlops.jobs.worker.worker import WorkLoop

    log = Path(root) / ".mlops" / "logs" / "chaos.log"
    log.parent.mkdir(exist_ok=True)
    with open(log, "ab") as file:  # those who see their worker vanish say so
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    logging.basicConfig(level=logging.WARNING)
    with Store.open(Path(root), create=False) as store:
        loop = WorkLoop(store, slots=2)

        def end_with_the_storm() -> None:
            parent = multiprocessing.parent_process()
            assert parent is not None
            parent.join()
            loop.stop()
            loop.stop()

        threading.Thread(target=end_with_the_storm, daemon=True).start()
        loop.run()
