"""Whose work a callable is: the notebook's (and its project's modules'), or a library's own.

Told by the code it runs and by what it holds, a few steps deep: `functools.partial(f)`, a bound method of an object that
keeps the notebook's function, a method of the notebook's list.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jupyter_mlops.capture.origin.calls import is_library_file

_OUR_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_SERVANTS = frozenset(
    str.split("zmq ipykernel tornado IPython debugpy pydevd jupyter_client jupyter_mlops traitlets comm tqdm joblib")
)
"""Packages that serve the kernel or show how far something is: what they have called later is their own business."""
_CONTAINERS = (list, dict, set, deque, bytearray)
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})
_STEPS = ("TaskStepMethWrapper", "TaskWakeupMethWrapper")
"""Types of what the loop calls to let a task go on; tasks are told apart."""
_POOLS = ("concurrent.futures.thread", "multiprocessing.pool")
_OF_ITS_THREAD = frozenset({"_stderr", "_invoke_excepthook"})
"""What each thread holds to show its errors: the streams of whoever made it."""
_MOST = 300
"""How many objects are looked at before an answer is given."""


def is_users_code(code: types.CodeType, home: Mapping[str, Any]) -> bool:
    """Whether code, whose globals are `home`, is the notebook's or a project module's."""
    file = code.co_filename
    if file.startswith(_OUR_FOLDER):
        return False
    if not file.startswith("<"):
        return not is_library_file(file)
    name = home.get("__name__")  # code that was made while running is of the module that made it
    if name == "__main__":
        return True
    of_module = getattr(sys.modules.get(str(name)), "__file__", None)
    return isinstance(of_module, str) and not is_library_file(of_module) and not of_module.startswith(_OUR_FOLDER)


def is_users_class(kind: type) -> bool:
    """Whether a class was made in the notebook or in a module of the project."""
    module: object = kind.__module__
    if module == "__main__":
        return True
    file = getattr(sys.modules.get(module), "__file__", None) if isinstance(module, str) else None
    return isinstance(file, str) and not is_library_file(file) and not file.startswith(_OUR_FOLDER)


def is_users(function: object, arguments: Iterable[Any] = (), *, public: bool = False) -> bool:
    """Whether calling `function` later is the notebook's doing.

    With `public`, also a library's function or method that has no underscore in front: libraries have their own, private
    ones called.
    """
    while isinstance(function, functools.partial):
        arguments = (*function.args, *function.keywords.values(), *arguments)
        function = function.func
    if isinstance(function, (types.BuiltinFunctionType, types.MethodWrapperType)):
        owner = function.__self__
        if owner is None or isinstance(owner, types.ModuleType):
            return getattr(function, "__module__", "") == "builtins" or reaches(arguments)
        if public:
            return not function.__name__.startswith("task_")
        return id(owner) in notebook_values() or reaches((owner, *arguments))
    if type(function).__name__ in _STEPS:
        return False
    inner = function.__func__ if isinstance(function, types.MethodType) else function
    if isinstance(inner, types.FunctionType) and is_users_code(inner.__code__, inner.__globals__):
        return True
    name = str(getattr(inner, "__name__", "_"))
    if public and not name.startswith("_") and _package(inner) not in _SERVANTS:
        return True
    return reaches((function, *arguments))


def reaches(roots: Iterable[Any]) -> bool:
    """Whether the notebook's code, an instance of a class of it, or a method of a container of it is held by `roots`."""
    waiting = deque(roots)
    seen: set[int] = set()
    while waiting and len(seen) < _MOST:
        value = waiting.popleft()
        kind = type(value)
        if kind in _PLAIN or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, types.FunctionType):
            if is_users_code(value.__code__, value.__globals__):
                return True
        elif isinstance(value, types.BuiltinFunctionType):
            if isinstance(value.__self__, _CONTAINERS) and id(value.__self__) in notebook_values():
                return True
        elif isinstance(value, types.CoroutineType):
            frame = value.cr_frame
            if frame is not None and is_users_code(value.cr_code, frame.f_globals):
                return True
            waiting.extend(() if frame is None else frame.f_locals.values())
        elif is_users_class(value if isinstance(value, type) else kind):
            return True
        waiting.extend(_held(value, kind))
    return False


def _held(value: Any, kind: type) -> Iterator[Any]:
    """What calling a value may come to."""
    if isinstance(value, types.FunctionType):
        for cell in value.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:
                continue
    elif isinstance(value, types.MethodType):
        yield value.__func__
        yield value.__self__
    elif isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif kind in (list, tuple, set, frozenset, deque):
        yield from list(value)[:_MOST]
    elif kind is dict:
        yield from list(value.values())[:_MOST]
    elif isinstance(value, (type, types.ModuleType, asyncio.AbstractEventLoop)):
        return
    elif _package(kind) not in _SERVANTS or kind.__name__ == "PeriodicCallback":
        own = getattr(value, "__dict__", None) if kind.__dictoffset__ else None
        if type(own) is dict:
            yield from [held for name, held in own.items() if name not in _OF_ITS_THREAD][:_MOST]


def notebook_values() -> set[int]:
    """The ids of all that names of the notebook are bound to."""
    return {id(value) for value in vars(sys.modules["__main__"]).values() if type(value) not in _PLAIN}


def holds_values(roots: Iterable[Any]) -> bool:
    """Whether one of `roots`, the object of a bound method among them or an argument of a partial, is a name's value."""
    values, waiting = notebook_values(), list(roots)
    while waiting:
        value = waiting.pop()
        if id(value) in values:
            return True
        if isinstance(value, functools.partial):
            waiting += [value.func, *value.args, *value.keywords.values()]
        elif isinstance(value, types.MethodType):
            waiting.append(value.__self__)
    return False


def runs_users_code(coroutine: object) -> bool:
    """Whether a coroutine, or one that it awaits, is the notebook's, or is given something of the notebook's to call."""
    while coroutine is not None:
        code = _first(coroutine, "cr_code", "gi_code", "ag_code")
        frame = _first(coroutine, "cr_frame", "gi_frame", "ag_frame")
        if code is None or frame is None:  # not written in Python, or ended
            return False
        if is_users_code(code, frame.f_globals):
            return True
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] not in _SERVANTS and reaches(
            frame.f_locals.values()
        ):
            return True
        coroutine = _first(coroutine, "cr_await", "gi_yieldfrom", "ag_await")
    return False


def thread_runs_users_code(identity: int) -> bool:
    """Whether the notebook's code is on the stack of a thread."""
    frame = sys._current_frames().get(identity)
    while frame is not None:
        if is_users_code(frame.f_code, frame.f_globals):
            return True
        frame = frame.f_back
    return False


def asked_of_worker(identity: int) -> list[Any]:
    """What a thread of a pool was asked to call, and with what."""
    found: list[Any] = []
    frame = sys._current_frames().get(identity)
    while frame is not None:
        if frame.f_globals.get("__name__") in _POOLS:
            for value in frame.f_locals.values():
                found += [value, getattr(value, "fn", None), *(getattr(value, "args", None) or ())]
        frame = frame.f_back
    return found


def named(function: object) -> str:
    """What to call a callable in a text."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__)).strip("<>")


def _first(value: object, *names: str) -> Any:
    return next((found for name in names if (found := getattr(value, name, None)) is not None), None)


def _package(value: object) -> str:
    return str(getattr(value, "__module__", None) or "").partition(".")[0]
