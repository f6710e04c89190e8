"""What a cell leaves that runs later is known by asking who will call it; libraries' own work does not count."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import functools
import gc
import signal
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.events import EventManager, available_events
from tornado.ioloop import IOLoop, PeriodicCallback

from jupyter_mlops.capture.observe.pending_work import due_of_the_notebook, handlers, has_callbacks
from jupyter_mlops.capture.observe.threads import ConcurrentWork
from jupyter_mlops.capture.observe.watch import StepWatch
from jupyter_mlops.domain.reason import Reason, ReasonCode

Act = Callable[[list[Any]], Any]


def mine(seen: list[Any]) -> None:
    seen.append(1)


async def wait() -> None:
    await asyncio.sleep(60)


@pytest.fixture(autouse=True)
def begun_with_nothing_due() -> Iterator[None]:
    before = set(map(id, (item.stands_for for item in due_of_the_notebook())))
    yield
    assert {id(item.stands_for) for item in due_of_the_notebook()} <= before


def in_loop(act: Act) -> list[str]:
    """What is due after `act`, done in a loop; all of it is canceled then."""

    async def look() -> list[str]:
        loop: Any = asyncio.get_running_loop()
        watch = StepWatch()
        with watch:
            act([])
        found = [item.what for item in due_of_the_notebook()]
        assert watch.seen.behind == (found[0] if found else "")
        assert watch.seen.reasons == [Reason(ReasonCode.LEAVES, what) for what in found]
        await asyncio.sleep(0)
        for handle in loop._scheduled:
            handle.cancel()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return found

    return asyncio.run(look())


def timer(delay: float, *called: Any) -> Any:
    return asyncio.get_running_loop().call_later(delay, *called)


TIMERS: dict[str, tuple[Act, str]] = {
    "a function": (lambda seen: timer(60, mine, seen), "a timer (mine)"),
    "a list's method": (lambda seen: timer(60, seen.append, 1), "a timer (append)"),
    "a partial": (lambda seen: timer(60, functools.partial(mine, seen)), "a timer (mine)"),
    "a library's method": (lambda seen: timer(60, threading.Event().set), "a timer (set)"),
    "a time of the loop": (lambda seen: asyncio.get_running_loop().call_at(1e9, print), "a timer (print)"),
    "the next turn": (lambda seen: asyncio.get_running_loop().call_soon(mine, seen), "a timer (mine)"),
    "another thread's word": (
        lambda seen: asyncio.get_running_loop().call_soon_threadsafe(seen.append, 1),
        "a timer (append)",
    ),
    "tornado's": (lambda seen: IOLoop.current().call_later(60, seen.append, 1), "a timer (append)"),
    "tornado's next turn": (lambda seen: IOLoop.current().add_callback(mine, seen), "a timer (mine)"),
    "tornado's clock": (lambda seen: PeriodicCallback(lambda: mine(seen), 60_000).start(), "a timer (_run)"),
    "a task": (lambda seen: asyncio.ensure_future(wait()), "a task"),
    "a task of asyncio that awaits it": (lambda seen: asyncio.ensure_future(asyncio.wait_for(wait(), 60)), "a task"),
    "a done-callback": (
        lambda seen: asyncio.ensure_future(asyncio.sleep(60)).add_done_callback(lambda _: mine(seen)),
        "a task",
    ),
}


@pytest.mark.parametrize("name", TIMERS)
def test_what_a_loop_has_to_call_for_the_notebook_is_due(name: str) -> None:
    act, what = TIMERS[name]
    assert what in in_loop(act)


NONE: dict[str, Act] = {
    "a sleep": lambda seen: asyncio.ensure_future(asyncio.sleep(60)),
    "a canceled timer": lambda seen: timer(60, mine, seen).cancel(),
    "a library's private timer": lambda seen: timer(60, asyncio.futures._chain_future),
    "a task that a set forgets": lambda seen: _kept(asyncio.ensure_future(asyncio.sleep(60))),
}


def _kept(task: Any) -> None:
    tasks = {task}
    task.add_done_callback(tasks.discard)


@pytest.mark.parametrize("name", NONE)
def test_what_libraries_do_for_themselves_is_not_due(name: str) -> None:
    assert in_loop(NONE[name]) == []


def test_a_watch_over_a_connection_is_due_while_it_stands() -> None:
    async def look() -> list[str]:
        import socket

        one, other = socket.socketpair()
        with one, other:
            asyncio.get_running_loop().add_reader(one.fileno(), mine, [])
            found = [item.what for item in due_of_the_notebook()]
            asyncio.get_running_loop().remove_reader(one.fileno())
        return found

    assert asyncio.run(look()) == ["a watched file or connection (mine)"]


def test_a_timer_of_a_signal_is_due_until_it_has_come() -> None:
    seen: list[Any] = []
    beside = ConcurrentWork()
    before = signal.signal(signal.SIGALRM, lambda *_: mine(seen))
    try:
        assert beside.reasons() == [Reason(ReasonCode.SETS_HANDLER, "SIGALRM")]
        assert signal.SIGALRM in handlers()
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        assert [item.what for item in due_of_the_notebook()] == ["a timer (SIGALRM)"]
        while not seen:
            time.sleep(0.01)
        assert due_of_the_notebook() == []
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not handlers()


def test_a_finalizer_of_the_notebook_is_due_while_its_object_lives() -> None:
    class Object:
        pass

    thing = Object()
    weakref.finalize(thing, mine, [])
    with tempfile.TemporaryDirectory():
        assert [item.what for item in due_of_the_notebook()] == ["a finalizer (mine)"]
    del thing
    assert due_of_the_notebook() == []


def test_what_runs_at_the_end_of_the_process_is_due_until_it_is_taken_back() -> None:
    atexit.register(mine, [])
    assert [item.what for item in due_of_the_notebook()] == ["an exit handler (mine)"]
    atexit.unregister(mine)
    assert due_of_the_notebook() == []


def test_what_runs_at_the_end_and_asks_for_nothing_of_the_notebook_lets_later_steps_be() -> None:
    def asks_for_nothing() -> None:
        print(len("end"))

    beside = ConcurrentWork()
    for function, meets in ((asks_for_nothing, False), (mine, True), (wait, True)):
        atexit.register(function)
        assert [item.meets_later_cells for item in due_of_the_notebook()] == [meets]
        beside.look()
        assert bool(beside.users_work) is meets
        assert Reason(ReasonCode.LEAVES, f"an exit handler ({function.__name__})") in beside.reasons()
        atexit.unregister(function)


def test_what_the_collector_calls_is_due() -> None:
    def note(phase: str, info: dict[str, int]) -> None:
        """Nothing."""

    gc.callbacks.append(note)
    assert [item.what for item in due_of_the_notebook()] == ["a call by the interpreter (note)"]
    gc.callbacks.remove(note)


def test_what_a_thread_of_a_library_is_asked_to_do_is_the_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer, a pool at work, a method of an object of the notebook's."""
    done = threading.Event()
    monkeypatch.setattr(sys.modules["__main__"], "done_of_the_notebook", done, raising=False)
    pool = concurrent.futures.ThreadPoolExecutor(1)
    for begin in (
        threading.Timer(60, mine, [[]]).start,
        threading.Thread(target=done.wait, args=(60,)).start,
        lambda: pool.submit(lambda: done.wait(60)),
    ):
        done.clear()
        beside = ConcurrentWork()
        begin()
        beside.look()
        assert beside.users_work.startswith("a thread ("), begin
        beside.reasons()
        assert beside.behind == beside.users_work
        done.set()
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.cancel()
                thread.join()
    pool.shutdown()


def test_a_loop_that_a_library_runs_in_a_thread_is_the_notebooks_work_only_while_it_has_some() -> None:
    loop = asyncio.new_event_loop()
    beside = ConcurrentWork()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    beside.look()
    assert (beside.goes_on, beside.users_work) == (True, "")
    asyncio.run_coroutine_threadsafe(wait(), loop)
    time.sleep(0.05)
    beside.look()
    assert beside.users_work == f"a thread ({thread.name})"
    loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
    time.sleep(0.05)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_hook_around_cells_may_change_values() -> None:
    shell = SimpleNamespace(events=EventManager(None, available_events))

    def note(result: Any) -> None:
        """Nothing."""

    assert not has_callbacks(shell)
    shell.events.register("post_run_cell", note)
    assert has_callbacks(shell)
    shell.events.unregister("post_run_cell", note)


def test_asking_takes_no_time_worth_mentioning() -> None:
    beside = ConcurrentWork()
    began = time.perf_counter()
    for _ in range(200):
        beside.look()
    assert (time.perf_counter() - began) / 200 < 0.002
