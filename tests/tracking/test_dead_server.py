"""A tracking server that does not answer: nothing waits for it, nothing is dropped, other stores go on."""

from __future__ import annotations

import socket
import time
from datetime import datetime, timezone

import sqlalchemy as sa
from tracked_project import TrackedProject

from jupyter_mlops.domain.run import TrackedAt
from jupyter_mlops.store.db.schema import outbox
from jupyter_mlops.tracking import drain, log_path, wake
from jupyter_mlops.tracking.uri import own_uri


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_messages_for_a_dead_server_stay_and_others_go_on(other_project: TrackedProject) -> None:
    project = other_project
    store = project.store
    address = f"http://user:secret@127.0.0.1:{closed_port()}"
    stuck = project.run(tracked_at=TrackedAt(address))
    project.step(stuck, "train")
    lucky = project.run()
    began = time.monotonic()
    wake(project.root)
    assert time.monotonic() - began < 0.5

    def waiting() -> dict[str, list[tuple[int, str]]]:
        found: dict[str, list[tuple[int, str]]] = {}
        with store.index.read() as connection:
            for row in connection.execute(sa.select(outbox)).mappings():
                found.setdefault(row["run_id"], []).append((row["attempts"], row["error"]))
        return found

    end = time.monotonic() + 60
    while lucky.id in waiting() or not all(attempts >= 2 for attempts, _ in waiting()[stuck.id]):
        assert time.monotonic() < end
        time.sleep(0.1)
    left = waiting()[stuck.id]
    assert len(left) == 4  # created, started; the step begun, ended
    assert all("does not answer" in error for _, error in left)
    assert "secret" not in str(left)
    assert "secret" not in log_path(project.root).read_text(encoding="utf-8")
    assert project.mlflow_run(lucky).info.status == "RUNNING"
    assert not drain(store, 0.3)

    # The server is given up for another store: what stayed is delivered there.
    store.runs.update(stuck.id, tracked_at=TrackedAt(own_uri(project.root)))
    project.deliver()
    assert [child.info.run_name for child in project.children(project.mlflow_run(stuck))] == ["train"]


def test_a_writer_gives_up_after_some_attempts_and_the_next_wake_tries_again() -> None:
    """The rounds of `Delivery`, with its clock as argument: no pauses to wait for."""
    from unittest.mock import Mock

    from jupyter_mlops.tracking.delivery import RETRY_SECONDS, Delivery

    store = Mock()
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    message = Mock(id=1, kind="run", run_id="r", body={"id": "r"}, attempts=0, created_at=noon)
    store.outbox.take.return_value = [message]
    store.runs.going_on.return_value = {}
    store.now.return_value = noon
    store.runs.get.return_value = Mock(tracked_at=TrackedAt(f"http://127.0.0.1:{closed_port()}"), host=None)
    delivery = Delivery(store)
    now = 0.0
    assert delivery.round(now)
    for pause in RETRY_SECONDS:
        assert not delivery.gave_up
        assert not delivery.round(now + pause * 0.9)
        now += pause
        assert delivery.round(now)
    assert delivery.gave_up
    assert store.outbox.failed.call_count == len(RETRY_SECONDS) + 1
    assert store.outbox.done.call_count == 0
