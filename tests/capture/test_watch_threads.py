"""Which threads a step leaves behind are its own doing."""

from __future__ import annotations

import threading

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
        alive = collector.thread.is_alive()
    collector.stop()
    assert alive
    assert watch.seen.reasons == []
