"""How the walker tells objects: those of the standard library by what they hold, any other by what pickling would take.

A type is looked up in `HANDLERS`, else `resolve` decides by what it is a subclass of.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import logging
import operator
import pathlib
import re
import sys
import types
import typing
import uuid
from collections.abc import Mapping
from typing import Any

from jupyter_mlops.capture.digest import code
from jupyter_mlops.capture.digest.reduced import immutable, reduced
from jupyter_mlops.capture.digest.walk import Handler, Undigestible, ValueWalk, module_of, no_step

_HANDLES = (
    ("matplotlib.artist", "Artist"),
    ("matplotlib.backend_bases", "FigureManagerBase"),
    ("matplotlib.backend_bases", "FigureCanvasBase"),
    ("IPython.core.interactiveshell", "InteractiveShell"),
    ("ipywidgets.widgets.widget", "Widget"),
    ("asyncio", "AbstractEventLoop"),
    ("asyncio", "Future"),
    ("threading", "Thread"),
    ("concurrent.futures", "Executor"),
    ("subprocess", "Popen"),
    ("polars", "LazyFrame"),
)
"""Objects tied to this process, which would lead the walk through all of it: nothing is tried with them."""


def _module(walk: ValueWalk, value: types.ModuleType) -> None:
    if sys.modules.get(value.__name__) is not value:
        raise Undigestible("", f"the module {value.__name__} is not the one that was imported")
    walk.tag("module", value.__name__)
    walk.modules.add(value.__name__)


def _builtin(walk: ValueWalk, value: Any) -> None:
    owner = getattr(value, "__self__", None)
    name = getattr(value, "__qualname__", value.__name__)
    if owner is None or isinstance(owner, types.ModuleType):
        walk.tag("builtin", str(getattr(value, "__module__", "")), name)
    else:
        walk.tag("bound", name)
        walk.value(owner)


def _method(walk: ValueWalk, value: types.MethodType) -> None:
    walk.update(b"\0meth")
    walk.value(value.__func__)
    walk.value(value.__self__)


def _wrapper(walk: ValueWalk, value: Any) -> None:
    walk.tag(type(value).__name__)
    walk.value(value.__func__)


def _property(walk: ValueWalk, value: property) -> None:
    walk.sequence(b"prop", (value.fget, value.fset, value.fdel), no_step)


def _slot(walk: ValueWalk, value: Any) -> None:
    walk.tag("slot", value.__objclass__.__qualname__, value.__name__)


def _cached_property(walk: ValueWalk, value: functools.cached_property[Any]) -> None:
    walk.tag("cached property", str(value.attrname))
    walk.value(value.func)


def _cached_function(walk: ValueWalk, value: Any) -> None:
    """Like `lru_cache` makes: what it remembers cannot be seen, so it is told only where it remembers nothing."""
    if code.by_name(walk, value) or not walk.first_time(value):
        return
    if value.cache_info().currsize:
        raise Undigestible("", f"the cache of '{value.__name__}' holds results that cannot be seen")
    walk.tag("cached function")
    walk.mapping(value.cache_parameters())
    walk.value(value.__wrapped__)


def _list(walk: ValueWalk, value: list[Any]) -> None:
    if walk.first_time(value):
        walk.sequence(b"list", value)


def _tuple(walk: ValueWalk, value: tuple[Any, ...]) -> None:
    walk.tick()
    walk.sequence(b"tupl", value)


def _dict(walk: ValueWalk, value: dict[Any, Any]) -> None:
    if walk.first_time(value):
        walk.mapping(value)


def _proxy(walk: ValueWalk, value: Mapping[Any, Any]) -> None:
    walk.update(b"\0view")
    walk.mapping(dict(value))


def _set(walk: ValueWalk, value: set[Any]) -> None:
    if walk.first_time(value):
        walk.unordered(b"set ", value)


def _frozenset(walk: ValueWalk, value: frozenset[Any]) -> None:
    walk.unordered(b"froz", value)


def _partial(walk: ValueWalk, value: functools.partial[Any]) -> None:
    if walk.first_time(value):
        reduction: Any = value.__reduce__()
        function, arguments, keywords, own = reduction[2]
        walk.update(b"\0part")
        walk.value(function)
        walk.sequence(b"args", arguments)
        walk.mapping(keywords)
        if own:
            walk.mapping(dict(own), attributes=True)


def _deque(walk: ValueWalk, value: collections.deque[Any]) -> None:
    if walk.first_time(value):
        walk.value(value.maxlen)
        walk.sequence(b"dequ", list(value))


def _bytearray(walk: ValueWalk, value: bytearray) -> None:
    if walk.first_time(value):
        walk.tag("bytearray")
        walk.blob(value)


def _memoryview(walk: ValueWalk, value: memoryview) -> None:
    if not isinstance(value.obj, bytes):
        walk.shared(value.obj)
    walk.tag("memoryview", value.format, repr(value.shape), str(value.readonly))
    walk.blob(value if value.c_contiguous else value.tobytes())


def _time(walk: ValueWalk, value: object) -> None:
    walk.tag(type(value).__name__)
    walk.sequence(b"time", value.__reduce_ex__(4)[1], no_step)


def _zone(walk: ValueWalk, value: Any) -> None:
    key: str | None = value.key  # of a zone made from a file there is none
    if key is None:
        raise Undigestible("", "a time zone without a name")
    walk.tag("zone", key)


def _other_zone(walk: ValueWalk, value: datetime.tzinfo) -> None:
    """One of another library, which is made once and held by all that use it."""
    with walk.within(copies=True):
        immutable(walk, value)


def _text(walk: ValueWalk, value: object) -> None:
    walk.tag(type(value).__name__, str(value))


def _parts(*names: str) -> Handler:
    get = operator.attrgetter(*names)

    def handler(walk: ValueWalk, value: object) -> None:
        walk.tag(type(value).__name__)
        walk.sequence(b"part", get(value), no_step)

    return handler


def _member(walk: ValueWalk, value: enum.Enum) -> None:
    walk.update(b"\0enum")
    walk.value(type(value))
    name: str | None = value.name  # of a combination of flags there is none, before Python 3.11
    walk.value(value.value if name is None else name)


def _named_tuple(walk: ValueWalk, value: tuple[Any, ...]) -> None:
    walk.update(b"\0ntup")
    walk.value(type(value))
    names = type(value)._fields  # type: ignore[attr-defined]
    walk.sequence(b"tupl", tuple(value), lambda index: f".{names[index]}")


def _type_variable(walk: ValueWalk, value: Any) -> None:
    if walk.first_time(value, mutable=False):
        bound, constraints = getattr(value, "__bound__", None), getattr(value, "__constraints__", ())
        walk.tag(type(value).__name__, value.__name__, str(value.__module__))
        walk.sequence(b"tvar", (bound, *constraints), no_step)


def _logger(walk: ValueWalk, value: logging.Logger) -> None:
    if logging.getLogger(value.name) is value:
        walk.tag("logger", value.name)
    else:
        reduced(walk, value)


def _sentinel(walk: ValueWalk, value: object) -> None:
    """A mark that the standard library compares by identity."""
    walk.tag("sentinel", type(value).__qualname__, str(getattr(value, "name", "")))


def _handle(walk: ValueWalk, value: object) -> None:
    kind = type(value)
    raise Undigestible("", f"a {kind.__name__} of {module_of(kind).partition('.')[0]}, which is tied to this process")


HANDLERS: dict[type, Handler] = {
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _frozenset,
    bytearray: _bytearray,
    memoryview: _memoryview,
    collections.deque: _deque,
    range: _parts("start", "stop", "step"),
    slice: _parts("start", "stop", "step"),
    types.EllipsisType: _text,
    types.NotImplementedType: _text,
    types.FunctionType: code.function,
    types.CodeType: code.code,
    types.CellType: code.cell,
    types.MethodType: _method,
    types.BuiltinFunctionType: _builtin,
    types.MethodWrapperType: _builtin,
    types.GetSetDescriptorType: _slot,
    types.MemberDescriptorType: _slot,
    types.MappingProxyType: _proxy,
    types.ModuleType: _module,
    type: code.kind,
    staticmethod: _wrapper,
    classmethod: _wrapper,
    property: _property,
    functools.partial: _partial,
    functools.cached_property: _cached_property,
    type(functools.lru_cache(len)): _cached_function,
    typing.TypeVar: _type_variable,
    typing.ParamSpec: _type_variable,
    types.GenericAlias: immutable,
    types.UnionType: immutable,
    type(dataclasses.MISSING): _sentinel,
    type(dataclasses.KW_ONLY): _sentinel,
    type(getattr(dataclasses, "_FIELD", None)): _sentinel,
    type(getattr(dataclasses, "_HAS_DEFAULT_FACTORY", None)): _sentinel,
    datetime.date: _time,
    datetime.time: _time,
    datetime.datetime: _time,
    datetime.timedelta: _time,
    datetime.timezone: immutable,
    decimal.Decimal: _text,
    uuid.UUID: _parts("int", "is_safe"),
    pathlib.PurePosixPath: _text,
    pathlib.PosixPath: _text,
    pathlib.PureWindowsPath: _text,
    pathlib.WindowsPath: _text,
    re.Pattern: _parts("pattern", "flags"),
}
_BY_NAME: tuple[tuple[str, str, Handler], ...] = (
    ("zoneinfo", "ZoneInfo", _zone),
    ("fractions", "Fraction", _parts("numerator", "denominator")),
)
"""Types of modules that few notebooks load: a module that is not loaded made no value."""
_FAMILIES: tuple[tuple[type, Handler], ...] = (
    (type, code.kind),
    (types.ModuleType, _module),
    (types.FunctionType, code.function),
    (enum.Enum, _member),
    (datetime.tzinfo, _other_zone),
    (logging.Logger, _logger),
)


BY_REDUCTION = (_other_zone, _named_tuple, immutable)
"""What `resolve` gives where pickling, or the class itself, is asked what a value holds."""


def resolve(kind: type) -> Handler | None:
    """The handler of a type of the standard library or of a handle; None for any other."""
    for module, name, handler in _BY_NAME:
        if kind is getattr(sys.modules.get(module), name, None):
            return handler
    for family, handler in _FAMILIES:
        if issubclass(kind, family):
            return handler
    for module, name in _HANDLES:
        handle = getattr(sys.modules.get(module), name, None)
        if isinstance(handle, type) and issubclass(kind, handle):
            return _handle
    if module_of(kind) == "typing":
        return immutable
    plain = all(getattr(kind, name) is getattr(object, name) for name in ("__reduce_ex__", "__reduce__"))
    if issubclass(kind, tuple) and hasattr(kind, "_fields") and plain and not kind.__dictoffset__:
        return _named_tuple
    return None
