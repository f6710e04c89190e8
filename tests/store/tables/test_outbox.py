"""The queue to tracking: what is posted stays, in order, until it is said to be delivered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from jupyter_mlops.domain.run import Run
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.outbox import post
from store.conftest import NOON


def test_messages_stay_in_order_until_they_are_done(store: Store) -> None:
    for number in range(3):
        store.outbox.post("run", "step", {"id": number}, now=NOON)
    taken = store.outbox.take()
    assert [message.body["id"] for message in taken] == [0, 1, 2]
    assert store.outbox.take() == taken
    store.outbox.done([taken[0].id, taken[2].id])
    assert [message.body["id"] for message in store.outbox.take()] == [1]
    assert store.outbox.size() == 1


def test_a_failed_delivery_is_counted_and_the_message_stays(store: Store) -> None:
    store.outbox.post("run", "run", {}, now=NOON)
    (message,) = store.outbox.take()
    store.outbox.failed(message.id, "no server")
    store.outbox.failed(message.id, "no server")
    assert store.outbox.take()[0].attempts == 2


def test_ids_of_done_messages_do_not_come_again(store: Store) -> None:
    store.outbox.post("run", "run", {}, now=NOON)
    (first,) = store.outbox.take()
    store.outbox.done([first.id])
    store.outbox.post("run", "run", {}, now=NOON)
    assert store.outbox.take()[0].id > first.id


def test_only_so_many_are_taken(store: Store) -> None:
    for _ in range(5):
        store.outbox.post("run", "run", {}, now=NOON)
    assert len(store.outbox.take(limit=2)) == 2


def test_a_message_of_a_change_that_failed_is_not_told(store: Store) -> None:
    with contextlib.suppress(ZeroDivisionError), store.index.write() as connection:
        post(connection, "run", "run", {}, NOON)
        raise ZeroDivisionError
    assert store.outbox.size() == 0


def test_who_is_about_to_make_an_mlflow_run_learns_of_another_that_did(
    store: Store, add_run: Callable[..., Run]
) -> None:
    run = add_run()
    assert store.outbox.set_tracked_id(run.id, "sqlite:///a", "", only_new=True) is None
    assert store.outbox.set_tracked_id(run.id, "sqlite:///a", "mine", only_new=True) == ""
    assert (store.outbox.tracked_id(run.id, "sqlite:///a"), store.runs.get(run.id).mlflow_run_id) == ("", None)
    assert store.outbox.set_tracked_id(run.id, "sqlite:///a", "m1", is_run=True) == ""
    assert (store.outbox.tracked_id(run.id, "sqlite:///a"), store.runs.get(run.id).mlflow_run_id) == ("m1", "m1")


def test_the_mlflow_run_of_a_run_is_remembered_for_each_tracking_store(store: Store) -> None:
    assert store.outbox.tracked_id("r", "sqlite:///a") is None
    store.outbox.set_tracked_id("r", "sqlite:///a", "m1")
    store.outbox.set_tracked_id("r", "http://b", "m2")
    store.outbox.set_tracked_id("r", "sqlite:///a", "m3")
    assert store.outbox.tracked_id("r", "sqlite:///a") == "m3"
    assert store.outbox.tracked_id("r", "http://b") == "m2"
