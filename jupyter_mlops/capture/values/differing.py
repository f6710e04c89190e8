"""Names the part of stored values that another one stands for after loading: both pickles are read as trees, nothing is made.

What is compared is what pickling took of the values before and takes of them after loading; neither are at hand alive.
"""

from __future__ import annotations

import io
import itertools
import pickle
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from jupyter_mlops.capture.values import rebuild
from jupyter_mlops.capture.values.components import pack_one
from jupyter_mlops.capture.values.memory import SMALL

MOST = 8 << 20
"""Bytes of a pickle up to which it is read again, only to name a part."""
SECONDS = 1.0
_ARRAY = f"{rebuild.MODULE}.array"
_Loader: Any = pickle._Unpickler


class _Global:
    """A class or function by its name; called, it gives a node."""

    def __init__(self, module: str, name: str) -> None:
        self.name = f"{module}.{name}"
        self.sets = module == rebuild.MODULE and name.startswith("set_")

    def __call__(self, *arguments: object) -> _Node:
        if self.sets and arguments and isinstance(arguments[0], _Node):
            arguments[0].states += arguments[1:]
        return _Node(self.name, arguments)


class _Node:
    """An object: what makes it, of what, and what it is given then."""

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name = name
        self.arguments = arguments
        self.states: list[Any] = []
        self.items: list[Any] = []
        self.memory: int = SMALL
        """Which memory an array lies in."""
        self.append = self.add = self.items.append
        self.extend = self.items.extend

    def place(self, path: str) -> tuple[str, int | str]:
        """Which memory an array lies in; one that is alone in its memory, in that of its path."""
        return "memory", path if self.memory == SMALL else self.memory

    @property
    def is_fixed(self) -> bool:
        """Whether it is one of those of which it tells nothing that they are one object."""
        return self.name.endswith("numpy.dtype") or not (self.states or self.items or self.name == _ARRAY)

    def __setitem__(self, key: object, item: object) -> None:
        self.items.append((key, item))


class _Tree(_Loader):  # type: ignore[misc]
    """Reads a pickle as a tree of nodes."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Loader.dispatch)

    rows: list[Any]

    def find_class(self, module: str, name: str) -> Any:
        made = _Global(module, name)
        return self._array if made.name == _ARRAY else made

    def _array(self, number: int, *arguments: object) -> _Node:
        node = _Node(_ARRAY, arguments)
        node.memory = self.rows[number][0]
        return node

    def persistent_load(self, name: object) -> Any:
        return ("persistent", name)

    def _new(self) -> None:
        arguments = self.stack.pop()
        made = self.stack.pop()
        self.append(_Node(f"new {made.name}" if isinstance(made, _Global) else "new", arguments))

    def _new_with(self) -> None:
        keywords = self.stack.pop()
        self._new()
        self.stack[-1].states.append(keywords)

    def _build(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], _Node):
            self.stack[-1].states.append(state)

    dispatch[pickle.NEWOBJ[0]] = _new
    dispatch[pickle.NEWOBJ_EX[0]] = _new_with
    dispatch[pickle.BUILD[0]] = _build


def part(stored: bytes, loaded: Mapping[str, Any], namespace: dict[str, Any]) -> tuple[str, str]:
    """The path of the first part that is another one in `loaded` than in the pickle it was loaded from; and, where two parts
    were one object and are none any more, the path of the other. Both are "" where no part can be named."""
    try:
        packed = pack_one(loaded, namespace)
        again = b"".join(bytes(segment.peek()) for segment in packed.segments)
        if len(stored) > MOST or len(again) > MOST:
            return "", ""
        return _Comparison().of(_tree(stored), _tree(again))
    except Exception:  # noqa: BLE001 - packing runs the code of foreign types; the value is told without its part then
        return "", ""


def _tree(data: bytes) -> Any:
    stream = io.BytesIO(data)
    rows = pickle.load(stream)
    tree = _Tree(stream, buffers=itertools.repeat(b""))
    tree.rows = rows
    return tree.load()


class _Comparison:
    def __init__(self) -> None:
        self._deadline = time.monotonic() + SECONDS
        self._before: dict[Any, str] = {}
        self._after: dict[Any, str] = {}
        self._apart = "", ""

    def of(self, one: dict[str, Any], other: dict[str, Any]) -> tuple[str, str]:
        for name in one:
            found = self._within(one[name], other.get(name), name)
            if found:
                return found, ""
        return self._apart

    def _within(self, one: Any, other: Any, path: str) -> str:
        if type(one) is not type(other):
            return path
        if not isinstance(one, (_Node, list, tuple, dict)):
            return "" if _is_same(one, other) else path
        if time.monotonic() > self._deadline:
            return ""
        if not isinstance(one, tuple) and not (isinstance(one, _Node) and one.is_fixed):
            if isinstance(one, _Node) and one.name == _ARRAY:
                self._met(one.place(path), other.place(path), path)
            if self._met(id(one), id(other), path):
                return ""
        for name, mine, its in _parts(one, other):
            if deeper := self._within(mine, its, path + name):
                return deeper
        return ""

    def _met(self, one: object, other: object, path: str) -> bool:
        """Whether a part was met before; where only one of the two was, or elsewhere, they hang together in other ways."""
        met, now = self._before.setdefault(one, path), self._after.setdefault(other, path)
        if met != now and not self._apart[0]:
            self._apart = (met if met != path else now), path
        return met != path


def _is_same(one: object, other: Any) -> bool:
    if isinstance(one, _Global):
        return bool(one.name == other.name)
    if isinstance(one, (set, frozenset)) and any(isinstance(item, (_Node, _Global, tuple)) for item in one):
        return len(one) == len(other)
    return bool(one == other) or repr(one) == repr(other)


_GONE = object()


def _parts(one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, _Node):
        yield "", one.name, other.name
        yield "", tuple(one.arguments), tuple(other.arguments)
        for mine, its in itertools.zip_longest(one.states, other.states, fillvalue=_GONE):
            yield from _attributes(mine, its)
        yield "", tuple(one.items), tuple(other.items)
    elif isinstance(one, dict):
        yield from _entries(one, other, "[{!r}]")
    else:
        both = enumerate(itertools.zip_longest(one, other, fillvalue=_GONE))
        yield from ((f"[{place}]", mine, its) for place, (mine, its) in both)


def _attributes(one: object, other: object) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        yield from _entries(one, other, ".{}")
    elif isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        for mine, its in zip(one, other, strict=True):
            yield from _attributes(mine, its)
    else:
        yield "", one, other


def _entries(one: dict[Any, Any], other: dict[Any, Any], form: str) -> Iterator[tuple[str, Any, Any]]:
    if all(isinstance(key, (str, int)) for key in (*one, *other)):
        for key in {**one, **other}:
            yield form.format(key)[:60], one.get(key, _GONE), other.get(key, _GONE)
        yield ".keys()", tuple(one), tuple(other)
    else:
        yield "", tuple(one.items()), tuple(other.items())
