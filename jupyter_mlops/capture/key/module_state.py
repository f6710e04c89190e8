"""What a loaded module holds: its names' values, and the code of what it defines, as plain values to be digested."""

from __future__ import annotations

import logging
import threading
import types
from typing import Any

_NO_STATE = (type(threading.Lock()), type(threading.RLock()), logging.Logger, threading.Condition, threading.local)
"""Kinds whose content no result should depend on."""


def held_by(module: types.ModuleType) -> dict[str, Any]:
    """Name → content. Other modules, dunder names and private caches are left out; locks and loggers are only named."""
    held = {}
    for name, value in vars(module).items():
        if name.startswith("__") or isinstance(value, types.ModuleType) or _is_cache(name):
            continue
        held[name] = _content(value, module.__name__)
    return held


def _is_cache(name: str) -> bool:
    return name.startswith("_") and ("cache" in name or "memo" in name)


def _content(value: object, module: str) -> Any:
    if isinstance(value, _NO_STATE):
        return ("stateless", type(value).__name__)
    if isinstance(value, types.FunctionType) and value.__module__ == module:
        return _function(value)
    if isinstance(value, type) and value.__module__ == module:
        return [
            (name, _member(item, module))
            for name, item in vars(value).items()
            if not (name.startswith("__") and not callable(item)) and not _is_cache(name)
        ]
    return value


def _member(item: object, module: str) -> Any:
    if isinstance(item, (staticmethod, classmethod)):
        return (type(item).__name__, _content(item.__func__, module))
    if isinstance(item, property):
        return ("property", *(_content(part, module) for part in (item.fget, item.fset, item.fdel)))
    if isinstance(item, (types.GetSetDescriptorType, types.MemberDescriptorType)):
        return ("slot", item.__name__)
    return _content(item, module)


def _function(value: types.FunctionType) -> Any:
    own = {name: item for name, item in vars(value).items() if name != "__wrapped__"}
    return (value.__qualname__, _code(value.__code__), value.__defaults__, value.__kwdefaults__, own)


def _code(code: types.CodeType) -> Any:
    constants = [_code(item) if isinstance(item, types.CodeType) else item for item in code.co_consts]
    return (code.co_code, code.co_names, code.co_varnames, constants)
