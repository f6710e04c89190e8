"""Which threads a step leaves behind are its own doing."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool

from zmq.utils.garbage import GarbageCollector

from jupyter_mlops.capture.watch import Watch


def test_a_thread_that_a_step_leaves_is_seen() -> None:
    done = threading.Event()
    watch = Watch()
    with watch:
        thread = threading.Thread(target=done.wait, name="left-behind", daemon=True)
        thread.start()
    done.set()
    thread.join()
    assert watch.seen.reasons == ["leaves a thread (left-behind)"]


def test_the_thread_that_zmq_starts_to_send_a_large_output_is_not_the_steps() -> None:
    collector = GarbageCollector()
    watch = Watch()
    with watch:
        collector.start()
        alive = collector.thread is not None and collector.thread.is_alive()
    collector.stop()
    assert alive
    assert watch.seen.reasons == []


def test_idle_workers_of_a_pool_are_no_unfinished_work_but_busy_ones_are() -> None:
    done = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        with Watch() as idle:
            assert pool.submit(int, "3").result() == 3
            time.sleep(0.01)
        with Watch() as busy:
            pool.submit(done.wait)
            pool.submit(done.wait)
        done.set()
    assert idle.seen.reasons == []
    assert [reason.partition(" (")[0] for reason in busy.seen.reasons] == ["leaves a thread"]


def test_a_pool_that_is_closed_leaves_nothing() -> None:
    with Watch() as watch, ThreadPool(2) as pool:
        assert pool.map(int, "123") == [1, 2, 3]
    assert watch.seen.reasons == []


def test_threads_of_scikit_learn_leave_nothing_and_its_processes_are_seen_each_time() -> None:
    code = """
import numpy, joblib
from sklearn.ensemble import RandomForestClassifier
from jupyter_mlops.capture.watch import Watch
with Watch() as forest:
    RandomForestClassifier(5, n_jobs=2, random_state=0).fit(numpy.eye(4), [0, 1, 0, 1])
    joblib.Parallel(2, backend="threading")(joblib.delayed(abs)(i) for i in range(3))
assert forest.seen.reasons == [], forest.seen.reasons
def work():
    with Watch() as watch:
        joblib.Parallel(2)(joblib.delayed(abs)(i) for i in range(3))
    return watch.seen.reasons
assert work() == ["starts a process (multiprocessing)"]
assert work() == ["computes in other processes (joblib)"]
with Watch() as none:
    pass
assert none.seen.reasons == []
"""
    subprocess.run([sys.executable, "-c", code], check=True)
