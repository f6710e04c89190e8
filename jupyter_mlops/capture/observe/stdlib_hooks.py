"""Functions of the standard library that raise no audit event, told of while a step runs: looking for files, fresh
entropy, work that is given to a loop in another thread.

Their code objects are exchanged, not the functions: whoever imported one by name has it too, and no value of the notebook
ever refers to ours. Functions that are not written in Python (on Windows) cannot be told of in this way.
"""

from __future__ import annotations

import asyncio
import genericpath
import os.path
import pathlib
import random
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

_LOOKS = {
    "exists": genericpath.exists,
    "isfile": genericpath.isfile,
    "isdir": genericpath.isdir,
    "lexists": os.path.lexists,
    "Path.exists": pathlib.Path.exists,
    "Path.is_file": pathlib.Path.is_file,
    "Path.is_dir": pathlib.Path.is_dir,
}
_ENTROPY = {
    "random": random.SystemRandom.random,
    "getrandbits": random.SystemRandom.getrandbits,
    "randbytes": random.SystemRandom.randbytes,
}
_LENDING = {"run_coroutine_threadsafe": asyncio.run_coroutine_threadsafe}
"""How fsspec and others let a thread of their own, which is there for good, do what they are asked for."""
_originals: dict[str, FunctionType] = {}
_codes: dict[str, tuple[FunctionType, CodeType, CodeType]] = {}
_told: list[Callable[[str, Any], None]] = []


def _template(*_: object, **__: object) -> Any:
    return __import__("jupyter_mlops.capture.observe.stdlib_hooks", fromlist=["_"]).called("NAME", _, __)


def _code_for(name: str) -> CodeType:
    """Code that works with the globals of any module."""
    code = _template.__code__
    return code.replace(co_consts=tuple(name if item == "NAME" else item for item in code.co_consts))


def _prepare() -> None:
    for name, function in {**_LOOKS, **_ENTROPY, **_LENDING}.items():
        if isinstance(function, FunctionType) and not function.__code__.co_freevars:
            original = FunctionType(
                function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
            )
            original.__kwdefaults__ = function.__kwdefaults__
            _originals[name] = original
            _codes[name] = (function, function.__code__, _code_for(name))


def tell(told: Callable[[str, Any], None]) -> None:
    """From now on call `told` with "looked" and the path, or "entropy" or "lent" and None, after each such call."""
    if not _codes:
        _prepare()
    _told.append(told)
    if len(_told) == 1:
        for function, _, ours in _codes.values():
            function.__code__ = ours


def quiet(told: Callable[[str, Any], None]) -> None:
    """The end of `tell`."""
    if told in _told:
        _told.remove(told)
    if not _told:
        for function, own, _ in _codes.values():
            function.__code__ = own


def called(name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """What the function gives; the one that watches is told."""
    told = _told[-1:]  # another thread may end its watch meanwhile
    if told and name in _LOOKS:
        path = arguments[0] if arguments else named.get("path")
        if isinstance(path, (str, bytes, os.PathLike)):
            told[0]("looked", path)
    elif told:
        told[0]("entropy" if name in _ENTROPY else "lent", None)
    return _originals[name](*arguments, **named)
