"""How the walker tells instances of the notebook's own classes that say of themselves what is pickled of them.

They are told by what they hold: attributes, slots of all their classes, the content of the builtin type they extend. What
their pickled form gives counts too, so that nothing is told less than it is pickled.
"""

from __future__ import annotations

import _random
import collections
import copyreg
import types
from collections.abc import Callable, Iterator
from typing import Any

from jupyter_mlops.capture.digest.reduced import reduced_parts
from jupyter_mlops.capture.digest.walk import Handler, HasLastWords, Undigestible, ValueWalk
from jupyter_mlops.capture.origin.callables import is_users, is_users_class

_HOOKS = ("__reduce_ex__", "__reduce__", "__getstate__")
_SAYS = frozenset(
    (*_HOOKS, "__getnewargs__", "__getnewargs_ex__", "__getattribute__", "__class__", "getstate", "__getinitargs__")
) | {"__iter__", "items", "keys", "__getitem__"}
"""What pickling asks of an object, and a class may answer as it likes."""
_MISSING = object()
_CONTENTS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (dict, lambda value: list(dict.items(value))),
    (list, lambda value: list.__getitem__(value, slice(None))),
    (tuple, lambda value: tuple.__getitem__(value, slice(None))),
    ((set, frozenset), frozenset),
    (collections.deque, lambda value: list(collections.deque.__iter__(value))),
    (str, str.__str__),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
    (bytearray, lambda value: bytes(bytearray.__getitem__(value, slice(None)))),
    (int, int.__int__),
    (float, float.__float__),
    (complex, lambda value: complex.__add__(value, 0)),
    (_random.Random, _random.Random.getstate),
)
"""Builtin types, and how to get at what an instance of a class derived from them holds, whatever that class says."""


def resolve(kind: type) -> Handler | None:
    """The handler of a class of the notebook or its project that may hide something; None for any other."""
    if issubclass(kind, BaseException):
        return exception
    reducer = copyreg.dispatch_table.get(kind)
    own = [parent for parent in kind.__mro__ if is_users_class(parent)]
    if not own and (reducer is None or not is_users(reducer)):
        return None
    if any("__del__" in vars(parent) for parent in own):
        return _last_words
    if reducer is not None or any(map(_says, own)):
        return _saying
    inherits = any(getattr(kind, name, None) is not getattr(object, name, None) for name in _HOOKS)
    return _inheriting if inherits else None


def is_of_user(kind: type) -> bool:
    """Whether a class, or one that it is derived from, is of the notebook or its project."""
    return any(map(is_users_class, kind.__mro__))


def _says(kind: type) -> bool:
    attributes = vars(kind)
    if not _SAYS.isdisjoint(attributes):
        return True
    return "__dict__" in attributes and type(attributes["__dict__"]) is not types.GetSetDescriptorType


def _last_words(walk: ValueWalk, value: object) -> None:
    raise HasLastWords("", f"its class {type(value).__name__} runs code when it is deleted (__del__)")


def _inheriting(walk: ValueWalk, value: object) -> None:
    """One whose way of being pickled is that of a library's or a builtin class it is derived from."""
    if walk.first_time(value):
        beside(walk, value, reduced_parts(walk, value))


def _saying(walk: ValueWalk, value: object) -> None:
    """One whose class says itself what is pickled of it, or what is in it."""
    if walk.first_time(value):
        beside(walk, value, reduced_parts(walk, value, by_name=True))
        _content(walk, value, type(value))


def _content(walk: ValueWalk, value: object, kind: type) -> None:
    """What the builtin or library class that it is derived from keeps of it, in the words of that class."""
    for family, content in _CONTENTS:
        if issubclass(kind, family):
            walk.update(b"\0cont")
            walk.value(content(value))
            return
    base = next((parent for parent in kind.__mro__ if not is_users_class(parent)), object)
    for name in ("__reduce__", "__getstate__", "__getnewargs__"):
        method = getattr(base, name, None)
        if method is not None and method is not getattr(object, name, None):
            walk.update(b"\0base")
            walk.value(_said_by(method, value))


def _said_by(method: Any, value: object) -> Any:
    try:
        found = method(value)
    except RecursionError:
        raise
    except Exception as error:  # the base may call what the notebook's class overrides
        raise Undigestible("", f"{type(error).__name__}: {error}"[:200]) from error
    return tuple(item for item in found if not isinstance(item, type)) if isinstance(found, tuple) else found


def beside(walk: ValueWalk, value: object, parts: object) -> None:
    """What an object holds that its pickled form, `parts`, does not give under the same name."""
    own = attributes_of(value)
    if own is not None:
        walk.shared(own)
    said = dict(_named(parts, 0))
    hide(walk, value, {name: item for name, item in _held(value, own) if said.get(name, _MISSING) is not item})


def hide(walk: ValueWalk, value: object, hidden: dict[str, Any]) -> None:
    """Walk what the pickled form of `value` leaves out."""
    if hidden:
        walk.hides.update(f"{type(value).__name__}.{name}" for name in hidden)
        walk.update(b"\0hide")
        walk.mapping(hidden, attributes=True)


def _held(value: object, own: dict[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """The filled slots and attributes of an object, whatever its class says of them."""
    for parent in type(value).__mro__:
        if parent.__module__ == "builtins":
            continue
        for name, slot in vars(parent).items():
            if type(slot) is types.MemberDescriptorType:
                try:
                    yield name, slot.__get__(value)
                except AttributeError:
                    continue
    yield from (own or {}).items()


def attributes_of(value: object) -> dict[str, Any] | None:
    """The real `__dict__` of an object; None where it has none."""
    for parent in type(value).__mro__:
        slot = vars(parent).get("__dict__")
        if type(slot) is types.GetSetDescriptorType:
            found = slot.__get__(value)
            return found if type(found) is dict else None
    return None


def _named(parts: object, depth: int) -> Iterator[tuple[str, Any]]:
    """The names and values of the mappings in what pickling takes."""
    if type(parts) is tuple and depth < 3:
        for item in parts:
            yield from _named(item, depth + 1)
    elif type(parts) is dict:
        for name in ("__dict__", "__pydantic_private__"):  # where pydantic puts the attributes themselves
            if type(parts.get(name)) is dict:
                yield from parts[name].items()
        yield from parts.items()


def exception(walk: ValueWalk, value: BaseException) -> None:
    """An error: besides what is pickled of it, where it was raised, and from which others."""
    if not walk.first_time(value):
        return
    kind = type(value)
    parts = reduced_parts(walk, value)
    if is_of_user(kind):
        beside(walk, value, parts)
        _content(walk, value, kind)
    said = {
        "__cause__": value.__cause__,
        "__context__": value.__context__,
        "__traceback__": _lines(value.__traceback__),
    }
    hide(walk, value, {name: item for name, item in said.items() if item})
    if value.__suppress_context__:
        walk.tag("suppresses its context")


def _lines(traceback: types.TracebackType | None) -> list[tuple[str, int]]:
    found = []
    while traceback is not None:
        found.append((traceback.tb_frame.f_code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    return found
