"""Kernels, a job, `gc` and `verify` on one store at once, and writers that are killed: nothing is lost, nothing damaged."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from keeping import add_result

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import DamagedObjectError
from jupyter_mlops.operations.store import gc, needs
from jupyter_mlops.operations.store.gc import collect_garbage
from jupyter_mlops.operations.store.verify import verify_store
from jupyter_mlops.store import open_store
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.slow

SCALE = int(os.environ.get("MLOPS_STRESS", "1"))
STEP_RUNS = 100 * SCALE
KILLS = 5 * SCALE
GRACE = timedelta(seconds=4)
"""Stands for the hour within which a writer records what it has put."""


def write_step_runs(root: str, who: str, count: int) -> None:
    """A kernel or a job: some objects are its own, some are put by all, over and over, while `gc` removes them."""
    with open_store(root) as store:
        for number in range(count):
            if number % 10 == 0:
                now = store.now()
                run = store.runs.create(
                    Run(store.new_id(), 0, "job", f"{who}.ipynb", Status.RUNNING, created_at=now, pid=os.getpid())
                )
            own = f"{who} {number} ".encode() * 500
            values = store.objects.put(own, signed=True)
            shared = store.objects.put(f"shared {number % 7} ".encode() * 500, signed=True)
            made = add_result(
                store,
                f"step {number % 5}",
                days=0,
                run_id=run.id,
                notebook=f"{who}.ipynb",
                result=values,
                display=shared,
            )
            store.steps.update_run(made.id, metrics={"n": float(number)}, told_at=store.now())
            for candidate in store.steps.candidates(f"key of step {number % 5}", limit=2):
                try:
                    store.objects.get_signed(str(candidate.result))
                except DamagedObjectError as error:
                    if "missing" not in error.message:  # gc may take it between the two looks
                        raise
            if number % 10 == 9:
                store.runs.finish(run.id, Status.COMPLETED, now=store.now())


def keep_house(root: str, stop: Event) -> None:
    """`gc` in a loop, with as little grace as the writers need."""
    gc.GRACE = needs.GRACE = GRACE  # type: ignore[misc]
    with open_store(root) as store:
        while not stop.is_set():
            collect_garbage(store, now=store.now(), keep=timedelta(0))
            time.sleep(0.05)


def keep_proving(root: str, stop: Event) -> None:
    """`verify` in a loop."""
    with open_store(root) as store:
        while not stop.is_set():
            report = verify_store(store, now=store.now())
            assert report.is_sound, report.findings
            time.sleep(0.1)


def check(store: Store) -> tuple[int, int]:
    """Each step run has its result, or says that gc took it; gives how many of either."""
    have = gone = 0
    for each in store.steps.runs():
        if each.result is None:
            assert "removed by gc" in each.extra["result_removed"]
            gone += 1
        else:
            store.objects.get_signed(each.result)
            store.objects.get_signed(str(each.display))
            have += 1
    return have, gone


def test_kernels_a_job_gc_and_verify_at_once_lose_and_damage_nothing(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    names = ("one", "two", "job")
    writers = [context.Process(target=write_step_runs, args=(str(tmp_path), who, STEP_RUNS)) for who in names]
    others = [
        context.Process(target=work, args=(str(tmp_path), stop)) for work in (keep_house, keep_house, keep_proving)
    ]
    for process in (*writers, *others):
        process.start()
    for writer in writers:
        writer.join(300 * SCALE)
    time.sleep(GRACE.total_seconds() + 1)
    stop.set()
    for other in others:
        other.join(120)
    assert [process.exitcode for process in (*writers, *others)] == [0] * 6
    with open_store(tmp_path) as store:
        assert verify_store(store, now=store.now()).is_sound
        have, gone = check(store)
        assert have + gone == len(names) * STEP_RUNS
        assert gone, "gc was at work meanwhile"
        for who in names:
            told = sorted(run.metrics["n"] for run in store.steps.runs(notebook=f"{who}.ipynb"))
            assert told == [float(number) for number in range(STEP_RUNS)]
            for step in range(5):
                assert store.steps.runs(notebook=f"{who}.ipynb", step=f"step {step}", limit=1)[0].result is not None
        assert store.outbox.size() == len(names) * (STEP_RUNS + STEP_RUNS // 10 * 2)
        print(f"{have} results kept, {gone} removed")  # shown with -s


ENDLESS = """
import json, sys
sys.path.insert(0, sys.argv[2])
from jupyter_mlops.store import open_store
from keeping import add_result, add_run
with open_store(sys.argv[1]) as store:
    run = add_run(store)
    for number in range(1_000_000):
        buffer = store.objects.put_buffer(str(number).encode() * 20_000)
        made = add_result(store, f"step {number % 3}", run_id=run.id, days=0, data=f"{run.id} {number}".encode() * 2_000,
                          files={"/a": buffer})
        sys.stdout.write(json.dumps([made.id, made.result]) + "\\n")
        sys.stdout.flush()
"""


def test_a_writer_that_is_killed_at_any_instant_leaves_a_sound_store(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    chance = random.Random(0)
    recorded: dict[str, str] = {}
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(tmp_path), str(Path(__file__).parents[2])],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]
        time.sleep(chance.uniform(0, 0.3))
        writer.send_signal(signal.SIGKILL)
        lines += writer.communicate()[0].splitlines()
        recorded |= dict(json.loads(line) for line in lines if line.strip().endswith("]"))
        with open_store(tmp_path) as store:
            report = verify_store(store, now=store.now())
            assert report.is_sound, report.findings
    with open_store(tmp_path) as store:
        assert {run.id: run.result for run in store.steps.runs()}.items() >= recorded.items()
        assert len(recorded) >= KILLS
