"""Which threads a step leaves behind are its own doing."""

from __future__ import annotations

import asyncio
import http.client
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import pytest
from zmq.utils.garbage import GarbageCollector

from jupyter_mlops.capture.observe.watch import StepWatch
from jupyter_mlops.domain.reason import Reason, ReasonCode


def test_a_thread_that_a_step_leaves_is_seen() -> None:
    done = threading.Event()
    watch = StepWatch()
    with watch:
        thread = threading.Thread(target=done.wait, name="left-behind", daemon=True)
        thread.start()
    done.set()
    thread.join()
    assert watch.seen.reasons == [Reason(ReasonCode.LEAVES_THREAD, "left-behind")]


def test_the_thread_that_zmq_starts_to_send_a_large_output_is_not_the_steps() -> None:
    collector = GarbageCollector()
    watch = StepWatch()
    with watch:
        collector.start()
        alive = collector.thread is not None and collector.thread.is_alive()
    collector.stop()
    assert alive
    assert watch.seen.reasons == []


def test_idle_workers_of_a_pool_are_no_unfinished_work_but_busy_ones_are() -> None:
    done = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        with StepWatch() as idle:
            assert pool.submit(int, "3").result() == 3
            time.sleep(0.01)
        with StepWatch() as busy:
            pool.submit(done.wait)
            pool.submit(done.wait)
        done.set()
    assert idle.seen.reasons == []
    assert [reason.code for reason in busy.seen.reasons] == [ReasonCode.LEAVES_THREAD]


def test_a_pool_that_is_closed_leaves_nothing() -> None:
    with StepWatch() as watch, ThreadPool(2) as pool:
        assert pool.map(int, "123") == [1, 2, 3]
    assert watch.seen.reasons == []


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ThreadPool])
def test_what_a_pool_does_that_was_there_before_is_the_steps_that_asked_for_it(tmp_path: Path, kind: Any) -> None:
    """As the pools that libraries keep for good: dask's, asyncio's."""
    paths = [tmp_path / f"{number}.txt" for number in range(100)]
    for path in paths:
        path.write_text("text")
    with kind(8) as pool:
        list(pool.map(Path.read_text, paths))
        with StepWatch() as watch:
            list(pool.map(Path.read_text, paths))
            list(pool.map(lambda path: path.with_suffix(".out").write_text(""), paths))
    assert watch.seen.reads == {str(path) for path in paths}
    assert watch.seen.writes == {str(path.with_suffix(".out")) for path in paths}


def test_what_a_step_has_a_loop_of_another_thread_do_is_seen() -> None:
    """As fsspec does for object stores, over connections that stay open."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def answer() -> int:
        return 42

    with StepWatch() as watch:
        assert asyncio.run_coroutine_threadsafe(answer(), loop).result() == 42
    with StepWatch() as none:
        pass
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    assert watch.seen.reasons == [Reason(ReasonCode.LENT_TO_THREAD, "asyncio.run_coroutine_threadsafe")]
    assert none.seen.reasons == []


def test_a_connection_that_is_open_already_is_the_network_too() -> None:
    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever).start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        connection.request("GET", "/")
        connection.getresponse().read()
        with StepWatch() as watch:
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
        connection.close()
        server.shutdown()
    assert set(watch.seen.reasons) == {Reason(ReasonCode.NETWORK)}


def test_threads_of_scikit_learn_leave_nothing_and_its_processes_are_seen_each_time() -> None:
    code = """
import numpy, joblib
from sklearn.ensemble import RandomForestClassifier
from jupyter_mlops.capture.observe.watch import StepWatch
with StepWatch() as forest:
    RandomForestClassifier(5, n_jobs=2, random_state=0).fit(numpy.eye(4), [0, 1, 0, 1])
    joblib.Parallel(2, backend="threading")(joblib.delayed(abs)(i) for i in range(3))
assert forest.seen.reasons == [], forest.seen.reasons
def work():
    with StepWatch() as watch:
        joblib.Parallel(2)(joblib.delayed(abs)(i) for i in range(3))
    return [reason.code.value for reason in watch.seen.reasons]
assert work() == ["process"]
assert work() == ["other_processes"]
with StepWatch() as none:
    pass
assert none.seen.reasons == []
"""
    subprocess.run([sys.executable, "-c", code], check=True)
