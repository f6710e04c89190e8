"""A worker: takes runs from the queue and executes them in its slots, until it is stopped or nothing is left to do.

`python -m jupyter_mlops.jobs.worker ROOT` is the detached one; `jupyter mlops worker` the one in the foreground. It needs
no other process alive: it meets them in the index. Killed at any moment, its runs are lost by name and taken up anew.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import FrameType

from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.worker import Worker
from jupyter_mlops.errors import StoreError
from jupyter_mlops.execution.kernels.warm.pool import Pool
from jupyter_mlops.jobs.executors.executor import Executor
from jupyter_mlops.jobs.executors.local import LocalExecutor
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.jobs.recovery.recover import end_by_journal, recover
from jupyter_mlops.jobs.running.stop_word import UNREACHABLE
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.queue import LEASE, TAKEN

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""How soon a new run, and the wish to cancel one, are seen."""
QUICK_SECONDS = 0.02
"""How soon a new run is seen where one has just ended and the index can be asked for next to nothing."""
QUICK_FOR_SECONDS = 30.0
BEAT_SECONDS = 3.0
RECONCILE_SECONDS = 5.0
GRACE_SECONDS = 30.0
"""How long the runs at work may take to end by themselves when the worker is stopped."""
STOP_SECONDS = 20.0
"""How long they may take once they were told to stop."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class WorkLoop:
    """Works for one project. `stop` may be called at any time, from a signal's handler too."""

    def __init__(
        self,
        store: Store,
        *,
        slots: int,
        executor: Executor | None = None,
        worker_id: str | None = None,
        linger: float | None = None,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self.store = store
        self.slots = slots
        self._executor = executor or LocalExecutor(store, slots)
        self._linger = linger
        self._grace = grace
        pid, started = processes.this_process()
        now = store.now()
        self.worker = Worker(worker_id or store.new_id(), processes.this_host(), pid, started, slots, now, now)
        self._active: dict[str, Future[None]] = {}
        self._told: dict[str, str] = {}
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._beating = threading.Lock()
        self._has_left = False
        self._stops = 0
        self._stopped_at = 0.0
        self._reconciled = 0.0

    def stop(self) -> None:
        """Take no more runs, let those at work end; called again, or after the grace, they are stopped."""
        self._stops += 1
        self._wake.set()

    def run(self) -> None:
        """Work until there is no more to do."""
        processes.keep_memory()
        self.store.queue.enter(self.worker)
        heart = threading.Thread(target=self._beat, name="mlops-heart", daemon=True)
        heart.start()
        logger.info(
            "Worker %s of '%s' (process %s, %s slots).", self.worker.id[:8], self.store.root, os.getpid(), self.slots
        )
        try:
            self._work()
        finally:
            self._ended.set()
            heart.join()
            with contextlib.suppress(StoreError):
                self.store.queue.leave(self.worker.id)
            self._executor.close(wait=not self._active)
        logger.info("Worker %s ends.", self.worker.id[:8])

    def _work(self) -> None:
        idle_since = time.monotonic()
        while True:
            self._guarded(self._look)
            if not self._stops:
                self._guarded(self._take)
            if self._active:
                idle_since = time.monotonic()
            if self._stops and self._is_over():
                return
            if self._linger is not None and not self._active and time.monotonic() - idle_since >= self._linger:
                if self._leaves():
                    return
                idle_since = time.monotonic()
            self._pause(idle_since)

    def _pause(self, idle_since: float) -> None:
        """Until there may be something to do: a slot is free, or a while is over, or, short of it, the index has changed."""
        is_quick = self.store.index.is_local and not self._active and time.monotonic() - idle_since < QUICK_FOR_SECONDS
        if is_quick:
            before = self.store.index.change_token()
            for _ in range(round(POLL_SECONDS / QUICK_SECONDS)):
                if self._wake.wait(QUICK_SECONDS) or self.store.index.change_token() != before:
                    break
        else:
            self._wake.wait(POLL_SECONDS)
        self._wake.clear()

    def _guarded(self, action: Callable[[], None]) -> None:
        """A store that cannot be used for a moment (busy, full) must not end the worker; one that is gone does."""
        try:
            action()
        except StoreError as error:
            logger.error("%s %s", error.message, error.hint)
            if not self.store.folder.is_dir():
                self._stops += 2
            self._ended.wait(1.0)

    def _take(self) -> None:
        while len(self._active) < self.slots and self.store.queue.waiting():
            run = self.store.queue.claim(self.worker, now=self.store.now())
            if run is None:
                return
            logger.info("Run %s of %s is claimed (attempt %s).", run.number, run.notebook, run.attempt + 1)
            future = self._executor.submit(run)
            self._active[run.id] = future
            future.add_done_callback(lambda _future: self._wake.set())

    def _look(self) -> None:
        """See which runs have ended, which are to be stopped, and now and then what others left behind."""
        for run_id, future in list(self._active.items()):
            if future.done():
                del self._active[run_id]
                self._told.pop(run_id, None)
        held = self.store.queue.held(self.worker.id)
        for run_id in list(self._active):
            if run_id not in held:
                self._tell(run_id, TAKEN)
            elif held[run_id]:
                self._tell(run_id, held[run_id])
        for run_id in held.keys() - self._active.keys():
            self._let_go(run_id)
        if time.monotonic() - self._reconciled >= RECONCILE_SECONDS:
            self._reconciled = time.monotonic()
            if not self.store.folder.is_dir():
                logger.error("The project is gone.")
                self._stops += 2
                return
            reconcile(self.store, now=self.store.now())

    def _tell(self, run_id: str, word: str) -> None:
        """Hand on at once what an execution would see in the index a little later."""
        if run_id not in self._told and self._executor.stop(run_id, word):
            self._told[run_id] = word

    def _let_go(self, run_id: str) -> None:
        """A run that this worker holds and no slot works on: its end could not be recorded then."""
        run = self.store.runs.get(run_id)
        if run.worker_id != self.worker.id or run.status is not Status.RUNNING or end_by_journal(self.store, run):
            return
        if self.store.queue.lose(run, now=self.store.now(), why="How this run ended could not be recorded."):
            recover(self.store, run, now=self.store.now())

    def _is_over(self) -> bool:
        """Whether a worker that was stopped has no more to wait for."""
        if not self._stopped_at:
            self._stopped_at = time.monotonic()
            self.worker = replace(self.worker, slots=0)
            self._guarded(lambda: self.store.queue.enter(replace(self.worker, beat_at=self.store.now())))
            if self._active:
                logger.warning("Stopping: no more runs are claimed; %s being executed may finish.", len(self._active))
        waited = time.monotonic() - self._stopped_at
        if self._active and (self._stops > 1 or waited > self._grace):
            for run_id in self._active:
                if self._told.get(run_id) != _STOPPED and self._executor.interrupt(run_id, _STOPPED):
                    self._told[run_id] = _STOPPED
        return not self._active or waited > self._grace + STOP_SECONDS

    def _leaves(self) -> bool:
        """Go where nothing waits. Who put a run into the queue meanwhile either saw that we had left, or we see it."""
        if self.store.queue.waiting():
            return False
        with self._beating:  # a heartbeat would enter us again
            self.store.queue.leave(self.worker.id)
            self._has_left = not self.store.queue.waiting()
            if not self._has_left:
                self.store.queue.enter(replace(self.worker, beat_at=self.store.now()))
        return self._has_left

    def _beat(self) -> None:
        renewed = time.monotonic()
        while not self._ended.wait(BEAT_SECONDS):
            try:
                with self._beating:
                    if not self._has_left:
                        self.store.queue.renew(self.worker, list(self._active), now=self.store.now())
                renewed = time.monotonic()
            except StoreError as error:
                logger.error("No heartbeat: %s %s", error.message, error.hint)
                if time.monotonic() - renewed > LEASE.total_seconds() and not self.store.index.is_local:
                    # Others may have taken our runs by now.
                    for run_id in list(self._active):
                        self._tell(run_id, UNREACHABLE)


_STOPPED = "its worker was stopped"


@contextlib.contextmanager
def on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT call `stop`."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: list[str] | None = None) -> int:
    """The detached worker's entry point."""
    parser = argparse.ArgumentParser(prog="python -m jupyter_mlops.jobs.worker")
    parser.add_argument("root", type=Path)
    parser.add_argument("--id")
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--linger", type=float)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    with Store.open(given.root, create=False) as store, Pool(lends=True) as pool:
        executor = LocalExecutor(store, given.slots, pool)
        loop = WorkLoop(store, slots=given.slots, executor=executor, worker_id=given.id, linger=given.linger)
        with on_signals(loop.stop):
            loop.run()
    return 0
