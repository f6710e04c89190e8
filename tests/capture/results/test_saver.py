"""The saver waits for a quiet moment, not for long, and writes what waits together; nothing of it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.capture import values
from jupyter_mlops.capture.digest.content import Walker
from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.capture.results import saver as module
from jupyter_mlops.capture.results.saver import Saver, Saving
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.store.store import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as store:
        store.runs.create(Run("r", 0, "session", "n", Status.RUNNING, created_at=NOON))
        yield store


@pytest.fixture
def saver(store: Store) -> Iterator[Saver]:
    saver = Saver(store, {})
    yield saver
    assert saver.drain(30)


def step_run(name: str, code: str = "x = 1", **values: Any) -> StepRun:
    given = {"key": "k", "started_at": NOON} | values
    return StepRun(f"id-{name}-{code}", "r", "n", name, 0, f"digest of {code}", 1, Status.RUNNING, **given)


def recorded(store: Store) -> dict[str, Status]:
    return {run.step: run.status for run in store.steps.runs()}


@contextmanager
def restless(saver: Saver) -> Iterator[None]:
    """Cells begin and end all the time."""
    over = threading.Event()

    def stir() -> None:
        while not over.wait(0.002):
            saver.stir()

    thread = threading.Thread(target=stir)
    saver.stir()
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_what_a_cell_did_is_recorded_once_no_cell_begins_or_ends(
    saver: Saver, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LATEST", 60.0)
    with restless(saver):
        saver.record(step_run("a"), "x = 1")
        time.sleep(5 * module.QUIET)
        assert recorded(store) == {}
    deadline = time.monotonic() + 30
    while not recorded(store) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert recorded(store) == {"a": Status.RUNNING}


def test_cells_without_a_pause_keep_nothing_waiting_for_long(saver: Saver, store: Store) -> None:
    with restless(saver):
        saver.record(step_run("a"), "x = 1")
        deadline = time.monotonic() + 30
        while not recorded(store) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert recorded(store) == {"a": Status.RUNNING}


def test_draining_does_not_wait_for_a_pause(saver: Saver, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATEST", 60.0)
    with restless(saver):
        saver.record(step_run("a"), "x = 1")
        assert saver.drain(30)
        assert recorded(store) == {"a": Status.RUNNING}


def test_what_waits_is_written_as_it_is_in_the_end_in_the_order_of_its_beginning(saver: Saver, store: Store) -> None:
    with restless(saver):
        for name in "abc":
            saver.record(step_run(name), "x = 1")
        saver.record(replace(step_run("a"), status=Status.COMPLETED), "x = 1")
        assert saver.drain(30)
    assert [(run.step, run.status) for run in reversed(store.steps.runs())] == [
        ("a", Status.COMPLETED),
        ("b", Status.RUNNING),
        ("c", Status.RUNNING),
    ]


def test_versions_are_numbered_in_the_order_in_which_their_code_ran(saver: Saver, store: Store) -> None:
    for code in ("x = 1", "x = 2", "x = 1"):
        saver.record(replace(step_run("a", code), id=store.new_id()), code)
    assert saver.drain(30)
    assert [run.version for run in reversed(store.steps.runs())] == [1, 2, 1]
    assert [(each.number, each.source) for each in store.steps.versions("a")] == [(1, "x = 1"), (2, "x = 2")]


def test_one_that_cannot_be_recorded_does_not_take_others_with_it(saver: Saver, store: Store) -> None:
    with restless(saver):
        saver.record(step_run("a"), "x = 1")
        saver.record(step_run("bad", extra={"it": object()}), "x = 1")
        saver.record(step_run("c"), "x = 1")
        assert saver.drain(30)
    assert recorded(store) == {"a": Status.RUNNING, "c": Status.RUNNING}


def test_other_work_is_done_in_order_and_goes_on_after_a_failure(saver: Saver) -> None:
    done: list[int] = []
    saver.do(lambda: done.append(1))
    saver.do(lambda: done.append(1 // 0))
    saver.do(lambda: done.append(2))
    assert saver.drain(30)
    assert done == [1, 2]


def test_plain_values_need_no_proof_and_all_others_do(store: Store, saver: Saver) -> None:
    namespace: dict[str, Any] = {"number": 1.5, "text": "a\ud800", "listed": [1]}
    packed = values.pack([{"number": 1.5}, {"text": "a\ud800"}, {"listed": [1]}], namespace)
    walker = Walker(namespace)
    known = {name: ValueFacts(walker.fingerprint(name, value).digest) for name, value in namespace.items()}
    known["listed"] = replace(known["listed"], digest="of another value")
    saver.record(step_run("s"), "x = 1")
    saving = Saving("id-s-x = 1", "k", packed, b"[]", known, plain=frozenset({"number", "text"}))
    saver.save(saving)
    assert saver.drain(30)
    found = store.steps.run("id-s-x = 1")
    assert {name: item.get("lost", "") for name, item in found.known.items()} == {
        "number": "",
        "text": "",
        "listed": "listed: it does not survive storing unchanged",
    }
    assert values.Values.open(store.objects, found.result or "", {}).load(["text", "number"]) == {
        "text": "a\ud800",
        "number": 1.5,
    }


class Counted:
    """Its number of loads is part of it."""

    def __init__(self) -> None:
        self.loads = 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.loads = state["loads"] + 1


class Copying:
    """Takes a copy of its rows when it is loaded."""

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.rows = list(state["rows"])


def lost_of(store: Store, saver: Saver, namespace: dict[str, Any]) -> dict[str, str]:
    """What is recorded as lost of values that hang together."""
    walker = Walker(namespace)
    names = sorted(namespace)
    shape = walker.fingerprint("", [namespace[name] for name in names]).digest if len(names) > 1 else ""
    known = {
        name: ValueFacts(
            walker.fingerprint(name, value).digest, shape=shape, shares=tuple(other for other in names if other != name)
        )
        for name, value in namespace.items()
    }
    saver.record(step_run("s"), "x = 1")
    saver.save(Saving("id-s-x = 1", "k", values.pack([namespace], namespace), b"[]", known))
    assert saver.drain(30)
    return {name: item.get("lost", "") for name, item in store.steps.run("id-s-x = 1").known.items()}


def test_the_part_is_named_that_does_not_come_back_as_it_was(store: Store, saver: Saver) -> None:
    assert lost_of(store, saver, {"steps": [1, {"model": Counted()}]}) == {
        "steps": "steps[1]['model'].loads: it does not survive storing unchanged"
    }


def test_both_parts_are_named_that_are_one_object_no_more(store: Store, saver: Saver) -> None:
    rows = [1, 2]
    told = "frame.rows: what it shares with rows does not survive storing"
    assert lost_of(store, saver, {"frame": Copying(rows), "rows": rows}) == {"frame": told, "rows": told}
