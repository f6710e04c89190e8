"""Work that a step does beside its own thread: threads it leaves behind, and processes that raise no audit event."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
import time
from typing import Any

from jupyter_mlops.capture.callers import is_library_file
from jupyter_mlops.domain.reason import Reason, ReasonCode

_BACKGROUND = ("jupyter-mlops", "IPythonHistory", "MLflow", "QueueFeederThread", "ExecutorManagerThread", "pydevd")
"""Threads of ours, of the shell, of MLflow and of process pools, which begin when they are first needed."""
_SERVANTS = ("zmq", "ipykernel", "tqdm", "joblib", "tornado", "IPython", "debugpy")
"""Packages whose own kinds of threads serve other than the user's work."""
_GRACE = 0.1
"""Seconds in which a pool that was just closed may end its threads."""


class Beside:
    """What runs beside when it is made; `look` and `reasons` tell what has come since."""

    goes_on = False
    """Whether something may change values at any time: a thread, a task, a widget's callback."""
    users_work = ""
    """What code of the notebook or its project goes on, in words; "" where there is nothing.

    How far it comes while a step runs depends on how long that takes, so that no step can be left out.
    """

    def __init__(self) -> None:
        self.threads = {thread.ident or 0 for thread in threading.enumerate()}
        self._processes = _processes_made()
        self._tasks = _tasks_of_pool()

    def reasons(self) -> list[Reason]:
        """Why what was done since is not repeatable."""
        found = []
        if self._processes != _processes_made():
            found.append(Reason(ReasonCode.PROCESS, "multiprocessing"))
        elif self._tasks != _tasks_of_pool():
            found.append(Reason(ReasonCode.OTHER_PROCESSES, "joblib"))
        left = self._left()
        deadline = time.monotonic() + _GRACE
        while left and time.monotonic() < deadline:
            left[0].join(0.01)
            left = self._left()
        return [*found, Reason(ReasonCode.LEAVES_THREAD, left[0].name)] if left else found

    def look(self) -> None:
        """Find out what was begun since and goes on."""
        left, has_tasks = self._left(), _has_tasks()
        self.goes_on = bool(left) or has_tasks or _has_widgets()
        threads = (f"a thread ({thread.name})" for thread in left if not _is_of_library(thread))
        self.users_work = next(threads, "a task" if has_tasks else "")

    def _left(self) -> list[threading.Thread]:
        return [
            thread
            for thread in threading.enumerate()
            if (thread.ident or 0) not in self.threads and thread.is_alive() and not _is_harmless(thread)
        ]


def _processes_made() -> str:
    """A text that changes with each process that multiprocessing, or loky upon it, makes; it is never undone."""
    process: Any = sys.modules.get("multiprocessing.process")
    return repr(getattr(process, "_process_counter", None))[len("count(") :] if process else "1)"


def _tasks_of_pool() -> tuple[int, int]:
    """Which pool of processes joblib keeps, and how much it was given to do."""
    module: Any = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(module, "_executor", None)
    return (0, 0) if executor is None else (id(executor), getattr(executor, "_queue_count", 0))


def _has_tasks() -> bool:
    """Whether a coroutine of the notebook's or of a project's module runs in this thread's loop."""
    try:
        tasks = asyncio.all_tasks()
        tasks.discard(asyncio.current_task())  # which runs the cells
    except RuntimeError:
        return False
    codes = [getattr(task.get_coro(), "cr_code", None) for task in tasks]
    return any(code is not None and not is_library_file(code.co_filename) for code in codes)


def _has_widgets() -> bool:
    module: Any = sys.modules.get("ipywidgets.widgets.widget")
    return module is not None and bool(getattr(module, "_instances", ()))


def _is_of_library(thread: threading.Thread) -> bool:
    """Whether it runs code of a library, as fsspec's loop and Dask's do for good."""
    function: Any = getattr(thread, "_target", None) or type(thread).run
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(function, "__code__", None)
    return code is not None and is_library_file(code.co_filename)


def _is_harmless(thread: threading.Thread) -> bool:
    if thread.name.startswith(_BACKGROUND) or isinstance(thread, threading._DummyThread):
        return True
    if type(thread).__module__.partition(".")[0] in _SERVANTS:
        return True
    return _is_idle_worker(thread)


def is_worker(thread: threading.Thread) -> bool:
    """Whether it belongs to a pool of threads: whenever it was started, what it does is what it was just asked to do."""
    target = getattr(thread, "_target", None)
    if target is None:
        return False
    pools, processes = (sys.modules.get(name) for name in ("concurrent.futures.thread", "multiprocessing.pool"))
    return target in (getattr(pools, "_worker", None), getattr(processes, "worker", None))


def _is_idle_worker(thread: threading.Thread) -> bool:
    """Whether it is a worker of `concurrent.futures` whose pool has nothing to do; zmq starts one for large messages."""
    pools: Any = sys.modules.get("concurrent.futures.thread")
    arguments = getattr(thread, "_args", ())
    if pools is None or getattr(thread, "_target", None) is not pools._worker or not arguments:
        return False
    executor = arguments[0]()
    if executor is None:
        return True  # given up: the worker is about to end
    idle = getattr(getattr(executor, "_idle_semaphore", None), "_value", 0)
    return bool(executor._work_queue.empty() and idle >= len(executor._threads))
