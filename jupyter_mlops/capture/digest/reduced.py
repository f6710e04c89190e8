"""How the walker tells an object by what pickling would take of it."""

from __future__ import annotations

import copyreg
import sys
import types
from typing import Any

from jupyter_mlops.capture.digest import code
from jupyter_mlops.capture.digest.walk import Undigestible, ValueWalk, module_of, no_step
from jupyter_mlops.capture.origin.callables import is_users_class

_CACHES = {
    "sklearn": {"_stop_words_id", "_deprecated_key_to_warnings"},
    "pandas": {"_cache"},
    "statsmodels": {"_cache", "_summary_cache", "_nobs_int", "diagn"},
    "scipy": {"_has_sorted_indices", "_has_canonical_format", "has_canonical_format"},
}
"""Library → attributes that follow from others, or are an address: reading a value may set them."""
_TREES = ("sklearn.neighbors._kd_tree", "sklearn.neighbors._ball_tree")
_NEW = getattr(copyreg, "__newobj__")  # noqa: B009 - a class would mangle the name


def reduced(walk: ValueWalk, value: object) -> None:
    """Any object with an identity: what pickling would take of it."""
    if _is_the_only_one(type(value), value):
        immutable(walk, value)
    elif walk.first_time(value):
        reduced_parts(walk, value)


def _is_the_only_one(kind: type, value: object) -> bool:
    """Whether it is the one instance that its library's class ever makes, such as a mark for what is not given, and holds
    nothing: all who hold it share nothing that could be changed."""
    made: Any = kind.__new__
    if (
        type(made) is not types.FunctionType
        or not _holds(kind, value)
        or not _holds(sys.modules.get(kind.__module__), value)
    ):
        return False
    if getattr(value, "__dict__", None) or any(vars(parent).get("__slots__") for parent in kind.__mro__):
        return False
    if any(getattr(kind, name) is not getattr(object, name) for name in ("__reduce_ex__", "__reduce__")):
        return False
    try:
        return not any(map(is_users_class, kind.__mro__)) and made(kind) is value  # as it is loaded
    except Exception:  # noqa: BLE001 - the library's code may raise anything
        return False


def _holds(owner: object, value: object) -> bool:
    return any(item is value for item in list(getattr(owner, "__dict__", {}).values()))


def immutable(walk: ValueWalk, value: object) -> None:
    """An object of which only the content counts, by what pickling would take of it."""
    walk.tick()
    reduced_parts(walk, value)


def reduced_parts(walk: ValueWalk, value: object, *, by_name: bool = False) -> Any:
    """Walk what pickling would take of an object, and give it.

    With `by_name` a class that makes it counts as its own where it has the same name: a method finds the one that stands
    in the notebook, also for an instance of a copy of it.
    """
    kind = type(value)
    parts = _reduction(kind, value)
    if isinstance(parts, str):
        _global(walk, kind, value, parts)
        walk.ids.discard(id(value))  # it is a library's own, and held by whoever uses that
        return parts
    walk.alive.append(parts)
    walk.update(b"\0make")
    walk.value(kind)
    walk.modules.add(module_of(kind))
    function, arguments, *rest = parts
    if function is _NEW and arguments and arguments[0] is kind:
        walk.sequence(b"make", arguments[1:], no_step)
    else:
        if by_name and _is_named_as(function, kind):
            walk.update(b"\0self")
        else:
            walk.value(function)
        walk.sequence(b"args", arguments, no_step)
    state, items, pairs = (*rest, None, None, None)[:3]
    _state(walk, kind, value, state)
    if items is not None:
        walk.sequence(b"item", list(items))
    if pairs is not None:
        held = list(pairs)
        walk.sequence(b"keys", [key for key, _ in held])
        walk.sequence(b"vals", [item for _, item in held], lambda index: f"[{held[index][0]!r}]")
    return parts


def _is_named_as(function: object, kind: type) -> bool:
    named = isinstance(function, type) and (function.__module__, function.__qualname__)
    return named == (kind.__module__, kind.__qualname__)


def _reduction(kind: type, value: object) -> Any:
    try:
        reducer = copyreg.dispatch_table.get(kind)
        return reducer(value) if reducer else value.__reduce_ex__(4)
    except RecursionError:
        raise
    except TypeError as error:
        raise Undigestible("", str(error)) from error
    except Exception as error:  # a reduction may be the user's own code
        raise Undigestible("", f"{type(error).__name__}: {error}"[:200]) from error


def _state(walk: ValueWalk, kind: type, value: object, state: object) -> None:
    if type(state) is dict:
        own = getattr(value, "__dict__", None)  # only where pickling asked for it: asking may make it
        if type(own) is dict:
            walk.shared(own)
        caches = _CACHES.get(module_of(kind).partition(".")[0])
        if caches and not caches.isdisjoint(state):
            state = {name: item for name, item in state.items() if name not in caches}
        if state:
            walk.update(b"\0stat")
            walk.mapping(state, attributes=True)
    elif type(state) is tuple and len(state) == 2 and type(state[1]) is dict and type(state[0]) in (dict, type(None)):
        walk.update(b"\0slot")
        walk.mapping(state[0] or {}, attributes=True)
        walk.mapping(state[1], attributes=True)
    elif module_of(kind) in _TREES and type(state) is tuple and len(state) == 13:
        walk.sequence(b"held", (*state[:7], *state[11:]), no_step)  # without how often it was asked
    elif state is not None:
        walk.update(b"\0held")
        walk.value(state)


def _global(walk: ValueWalk, kind: type, value: object, name: str) -> None:
    """An object that is one of a module's own, such as a ufunc. One of the notebook's may hide code or a cache."""
    module = getattr(value, "__module__", None) or module_of(kind)
    if module == "__main__" or code.find(module, name) is not value:
        raise Undigestible("", f"a {kind.__name__} made in the notebook")
    walk.tag("global", module, name)
    walk.modules.add(module)
