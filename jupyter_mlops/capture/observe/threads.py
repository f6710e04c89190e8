"""Work that a step does beside its own thread: threads it leaves behind, and processes that raise no audit event."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from jupyter_mlops.capture.observe.pending_work import due_of_the_notebook, handlers, has_callbacks, work_of_loop
from jupyter_mlops.capture.origin.callables import (
    asked_of_worker,
    holds_values,
    is_users,
    is_users_class,
    reaches,
    thread_runs_users_code,
)
from jupyter_mlops.domain.reason import Reason, ReasonCode

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


_BACKGROUND = ("jupyter-mlops", "IPythonHistory", "MLflow", "QueueFeederThread", "ExecutorManagerThread", "pydevd")
"""Threads of ours, of the shell, of MLflow and of process pools, which begin when they are first needed."""
_SERVANTS = ("zmq", "ipykernel", "tqdm", "joblib", "tornado", "IPython", "debugpy")
"""Packages whose own kinds of threads serve other than the user's work."""
_GRACE = 0.1
"""Seconds in which a pool that was just closed may end its threads."""


class ConcurrentWork:
    """What runs beside when it is made; `look` and `reasons` tell what has come since."""

    goes_on = False
    """Whether something may change values at any time: a thread, a task, a timer, a widget's callback."""
    users_work = ""
    """What code of the notebook or its project goes on or is due, in words; "" where there is nothing.

    How far it comes while a step runs depends on how long that takes, so that no step can be left out.
    """

    behind = ""
    """After `reasons`: what of the notebook's was begun since and goes on, or is due; "" where there is nothing."""

    def __init__(self) -> None:
        self.threads = {thread.ident or 0 for thread in threading.enumerate()}
        self._processes = _processes_made()
        self._tasks = _tasks_of_pool()
        self._due = due_of_the_notebook()
        self._handlers = handlers()

    def reasons(self) -> list[Reason]:
        """Why what was done since is not repeatable."""
        made = []
        if self._processes != _processes_made():
            made.append(Reason(ReasonCode.PROCESS, "multiprocessing"))
        elif self._tasks != _tasks_of_pool():
            made.append(Reason(ReasonCode.OTHER_PROCESSES, "joblib"))
        before = {id(item.stands_for) for item in self._due}
        new = [item.what for item in due_of_the_notebook() if id(item.stands_for) not in before]
        made += [Reason(ReasonCode.LEAVES, what) for what in new]
        made += [Reason(ReasonCode.SETS_HANDLER, name) for name in self._handlers_set()]
        left = self._left()
        deadline = time.monotonic() + _GRACE
        while left and time.monotonic() < deadline:
            left[0].join(0.01)
            left = self._left()
        threads = (f"a thread ({thread.name})" for thread in left if _is_users(thread))
        self.behind = next(threads, new[0] if new else "")
        return [*made, Reason(ReasonCode.LEAVES_THREAD, left[0].name)] if left else made

    def look(self, shell: InteractiveShell | None = None) -> bool:
        """Find out what goes on or is due now. Gives whether anything does, or did when this was asked before."""
        left, due, went_on = self._left(), due_of_the_notebook(), self.goes_on
        self.goes_on = bool(left or due or _has_widgets() or handlers() or has_callbacks(shell))
        threads = (f"a thread ({thread.name})" for thread in left if _is_users(thread))
        self.users_work = next(threads, None) or next((item.what for item in due if item.meets_later_cells), "")
        return went_on or self.goes_on

    def _handlers_set(self) -> list[str]:
        now = handlers()
        changed = {number for number in {*now, *self._handlers} if now.get(number) is not self._handlers.get(number)}
        return [signal.Signals(number).name for number in sorted(changed)]

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


def _has_widgets() -> bool:
    module: Any = sys.modules.get("ipywidgets.widgets.widget")
    return module is not None and bool(getattr(module, "_instances", ()))


def _is_users(thread: threading.Thread) -> bool:
    """Whether it does work of the notebook; fsspec's loop and Dask's run for good, and mostly have none to do."""
    target: Any = getattr(thread, "_target", None)
    given = (*getattr(thread, "_args", ()), *getattr(thread, "_kwargs", {}).values())
    if target is None:
        if is_users_class(type(thread)):
            return True
        if isinstance(thread, threading.Timer):
            target, given = thread.function, (*thread.args, *thread.kwargs.values())
        else:
            return reaches(vars(thread).values())
    loop = getattr(target, "__self__", None)
    loop = getattr(loop, "asyncio_loop", loop)
    if isinstance(loop, asyncio.AbstractEventLoop):
        return bool(work_of_loop(loop))
    if is_worker(thread):
        asked = asked_of_worker(thread.ident or 0)
        return thread_runs_users_code(thread.ident or 0) or reaches(asked) or holds_values(asked)
    return is_users(target, given) or holds_values((target, *given)) or thread_runs_users_code(thread.ident or 0)


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
