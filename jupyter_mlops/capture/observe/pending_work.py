"""What the notebook has left that runs later: asked of the loop, of signals, `weakref`, `atexit` and the collector.

Threads are told apart (`capture.observe.threads`). What a library does for itself does not count.
"""

from __future__ import annotations

import asyncio
import atexit
import builtins
import gc
import operator
import signal
import sys
import types
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_mlops.capture.digest.code import global_names
from jupyter_mlops.capture.origin.callables import is_users, is_users_code, named, reaches, runs_users_code

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


_TIMERS = {
    name: getattr(signal, timer)
    for name, timer in (("SIGALRM", "ITIMER_REAL"), ("SIGVTALRM", "ITIMER_VIRTUAL"), ("SIGPROF", "ITIMER_PROF"))
    if hasattr(signal, timer)
}
_getsignal: Any = getattr(sys.modules["_signal"], "getsignal")  # noqa: B009 - that of `signal` looks each answer up among enumerations
_MOST_HANDLES = 1000
_SIGNALS = tuple(sorted(signal.valid_signals()))


@dataclass(frozen=True, eq=False)
class Due:
    """One thing that runs later: what it is, in words, and the object that stands for it."""

    what: str
    stands_for: Any
    meets_later_cells: bool = True
    """Whether it may change, or ask for, what later cells make."""


def due_of_the_notebook() -> list[Due]:
    """All that is due now and is the notebook's."""
    return [*_of_loop(current_loop()), *_of_signals(), *_FINALIZERS.look(), *_AT_EXIT.look(), *_of_interpreter()]


def current_loop() -> Any:
    """The loop that cells await in; None where there is none yet."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        helpers: Any = sys.modules.get("IPython.core.async_helpers")
        return getattr(helpers, "_asyncio_event_loop", None)


def work_of_loop(loop: object) -> list[Due]:
    """What a loop, of this thread or another, has to do for the notebook."""
    return list(_of_loop(loop))


def _of_loop(loop: object) -> Iterator[Due]:
    handle: Any
    if loop is None:
        return
    for task in _tasks(loop):
        callbacks = [item[0] for item in getattr(task, "_callbacks", None) or ()]
        if runs_users_code(task.get_coro()) or any(is_users(each) for each in callbacks if not _forgets(each, task)):
            yield Due("a task", task)
    for handle in (*getattr(loop, "_scheduled", ()), *getattr(loop, "_ready", ())):
        if handle._callback is None or handle._cancelled:
            continue
        if _HANDLES.is_users(handle, public=True):
            yield Due(f"a timer ({named(_called(handle)[0])})", handle)
    selector = getattr(loop, "_selector", None)
    for key in list((selector.get_map() or {}).values()) if selector is not None else ():
        for handle in key.data if isinstance(key.data, tuple) else ():
            if isinstance(handle, asyncio.Handle) and _HANDLES.is_users(handle, public=False):
                yield Due(f"a watched file or connection ({named(_called(handle)[0])})", handle)


class _Handles:
    """Remembers whose a handle of a loop is: what it calls does not change, and those of the kernel stand for long."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], bool]] = {}

    def is_users(self, handle: object, *, public: bool) -> bool:
        known = self._known.get(id(handle))
        if known is not None and known[0]() is handle:
            return known[1]
        if len(self._known) > _MOST_HANDLES:
            self._known = {number: item for number, item in self._known.items() if item[0]() is not None}
        callback, *arguments = _called(handle)
        answer = is_users(callback, arguments, public=public)
        self._known[id(handle)] = weakref.ref(handle), answer
        return answer


def _forgets(callback: object, task: object) -> bool:
    """Whether a callback only takes the task out of the set that keeps it alive."""
    owner = getattr(callback, "__self__", None)
    return isinstance(owner, (set, weakref.WeakSet)) and task in owner


def _called(handle: Any) -> tuple[Any, ...]:
    """What someone asked to have called, and with what: tornado hands it on wrapped."""
    arguments = handle._args or ()
    wrapped = str(getattr(handle._callback, "__module__", "")).startswith("tornado.")
    return arguments if wrapped and arguments and callable(arguments[0]) else (handle._callback, *arguments)


def _tasks(loop: Any) -> set[Any]:
    try:
        current = asyncio.current_task(loop)  # which runs the cells
        return {task for task in asyncio.all_tasks(loop) if task is not current}
    except RuntimeError:
        return set()


def _of_signals() -> Iterator[Due]:
    for name, timer in _TIMERS.items():
        if signal.getitimer(timer)[0] and _is_users_handler(signal.getsignal(getattr(signal, name))):
            yield Due(f"a timer ({name})", name)


def handlers() -> dict[int, Any]:
    """Signal → what the notebook has set to be called when it comes; in any loop, too."""
    found = _HANDLERS.look()
    own = getattr(current_loop(), "_signal_handlers", None)
    return (
        {**found, **{number: each._callback for number, each in own.items() if is_users(each._callback)}}
        if own
        else found
    )


class _Handlers:
    """Those of `signal.signal`."""

    def __init__(self) -> None:
        self._all: tuple[Any, ...] = ()
        self._found: dict[int, Any] = {}

    def look(self) -> dict[int, Any]:
        now = tuple(map(_getsignal, _SIGNALS))
        if len(now) != len(self._all) or not all(map(operator.is_, now, self._all)):
            self._all = now
            self._found = {
                number: handler for number, handler in zip(_SIGNALS, now, strict=True) if _is_users_handler(handler)
            }
        return self._found


def _is_users_handler(handler: object) -> bool:
    return callable(handler) and not isinstance(handler, signal.Handlers) and is_users(handler)


class _Finalizers:
    """Those of `weakref.finalize`. Only what came since the last look is looked at."""

    def __init__(self) -> None:
        self._newest = -1
        self._found: list[Due] = []

    def look(self) -> list[Due]:
        registry: dict[Any, Any] = getattr(weakref.finalize, "_registry", {})
        self._found = [item for item in self._found if item.stands_for.alive]
        if not registry:
            return self._found
        newest = self._newest
        for finalizer in reversed(list(registry)):
            info = registry.get(finalizer)
            if info is None or info.index <= newest:
                break
            self._newest = max(self._newest, info.index)
            if is_users(info.func, (*info.args, *(info.kwargs or {}).values())):
                self._found.append(Due(f"a finalizer ({named(info.func)})", finalizer))
        return self._found


class _AtExit:
    """Functions registered with `atexit`, which shows them to whoever asks to have one removed."""

    def __init__(self) -> None:
        self._count = -1
        self._found: list[Due] = []

    def look(self) -> list[Due]:
        count = atexit._ncallbacks()
        if count != self._count or self._found:
            self._count = count
            before = {id(item.stands_for): item for item in self._found}
            self._found = [
                before.get(id(function)) or Due(f"an exit handler ({named(function)})", function, _asks(function))
                for function in _registered()
                if id(function) in before or is_users(function)
            ]
        return self._found


def _asks(function: object) -> bool:
    """Whether a function may ask for anything but what is built in; what it was registered with cannot be seen."""
    if not isinstance(function, types.FunctionType) or function.__closure__ or function.__code__.co_varnames:
        return True
    return not global_names(function.__code__) <= vars(builtins).keys()


class _Looking:
    """Equal to nothing; keeps what it is compared with."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __eq__(self, other: object) -> bool:
        self.seen.append(other)
        return False

    __hash__ = None  # type: ignore[assignment]


def _registered() -> list[Any]:
    looking = _Looking()
    atexit.unregister(looking)  # type: ignore[arg-type]
    return looking.seen


_FINALIZERS, _AT_EXIT, _HANDLERS, _HANDLES = _Finalizers(), _AtExit(), _Handlers(), _Handles()


def _of_interpreter() -> Iterator[Due]:
    """What the collector, and whoever traces or profiles, calls in the middle of any cell."""
    for function in (*gc.callbacks, sys.gettrace(), sys.getprofile()):
        if function is not None and is_users(function):
            yield Due(f"a call by the interpreter ({named(function)})", function)


def has_callbacks(shell: InteractiveShell | None) -> bool:
    """Whether the notebook has something called by the shell around cells, or by a message from the browser."""
    events = getattr(shell, "events", None)
    for functions in getattr(events, "callbacks", {}).values():
        for function in functions:
            if _is_plainly_users(function):
                return True
    comm: Any = sys.modules.get("comm")
    manager = getattr(comm, "_comm_manager", None)
    targets = getattr(manager, "targets", {}).values()
    opened = [getattr(item, name, None) for item in getattr(manager, "comms", {}).values() for name in _MESSAGES]
    return any(map(_is_plainly_users, (*targets, *(item for item in opened if item is not None))))


_MESSAGES = ("_msg_callback", "_close_callback")


def _is_plainly_users(function: object) -> bool:
    inner = getattr(function, "__func__", function)
    if isinstance(inner, types.FunctionType):
        return is_users_code(inner.__code__, inner.__globals__)
    return reaches((function,))
