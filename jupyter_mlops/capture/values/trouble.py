"""Finds the part of a component that cannot be stored, to name it: the deepest one that fails by itself."""

from __future__ import annotations

import copyreg
import time
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_mlops.capture.values.components import TOO_DEEP, pack_one, told
from jupyter_mlops.capture.values.pickling import refused

SECONDS = 1.0
"""How long looking may take; then the part found so far is named."""


def find(component: Mapping[str, Any], namespace: dict[str, Any], reason: str) -> str:
    """The attribute path and why it cannot be stored, such as `model.callbacks[2]: cannot pickle '_thread.lock' object`."""
    search = _Search(namespace)
    for name, value in component.items():
        failure = _failure(value, namespace)
        if failure is not None:
            deep = failure == TOO_DEEP
            path, why = (None if deep else search.within(value, name, failure)) or (name, failure)
            return f"{path}: {why}"
    return f"{', '.join(component)}: {reason}"  # it is their being together that fails


class _Search:
    """Goes down into parts that fail. A part that fails only through what it is part of is a dead end."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._deadline = time.monotonic() + SECONDS
        self._visited: dict[int, Any] = {}

    def within(self, value: object, path: str, reason: str) -> tuple[str, str] | None:
        """The path and reason of the deepest part; None at a dead end."""
        self._visited[id(value)] = value
        if refused(value):
            return path, reason
        dead_end = False
        for name, part in _parts(value):
            if time.monotonic() > self._deadline or len(self._visited) > 200:
                return path, reason
            if id(part) in self._visited:
                dead_end = True
                continue
            failure = _failure(part, self._namespace)
            if failure is not None:
                deeper = self.within(part, path + name, failure)
                if deeper is not None:
                    return deeper
                dead_end = True
        return None if dead_end else (path, reason)


def _failure(value: object, namespace: dict[str, Any]) -> str | None:
    try:
        pack_one({"value": value}, namespace)
    except Exception as error:  # noqa: BLE001 - pickling runs the code of foreign types, which may raise anything
        return told(error)
    return None


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a value and what to write for each behind the value's own path."""
    kind = type(value)
    if kind in (list, tuple):
        yield from ((f"[{number}]", item) for number, item in enumerate(value))
    elif kind in (set, frozenset):
        yield from (("{...}", item) for item in value)
    elif kind is dict:
        for key, item in value.items():
            yield f"[{key!r}]"[:60], item
            yield ".keys()", key
    elif hasattr(value, "__code__"):
        names = value.__code__.co_freevars
        for name, cell in zip(names, value.__closure__ or (), strict=False):
            try:
                yield f" -> {name}", cell.cell_contents
            except ValueError:
                continue
        yield from ((f".{name}", item) for name, item in vars(value).items())
    elif isinstance(value, type):
        yield from ((f".{name}", item) for name, item in vars(value).items() if name not in ("__dict__", "__weakref__"))
    else:
        yield from _reduced_parts(value)


def _reduced_parts(value: object) -> Iterator[tuple[str, Any]]:
    try:
        reducer = copyreg.dispatch_table.get(type(value))
        reduced = reducer(value) if reducer else value.__reduce_ex__(4)
    except Exception:  # noqa: BLE001 - the value cannot even be taken apart: it is the part looked for
        return
    if not isinstance(reduced, tuple):
        return
    _, arguments, *rest = reduced
    state, items, pairs = (*rest, None, None, None)[:3]
    states = state if isinstance(state, tuple) else (state,)
    for part in states:
        if isinstance(part, dict):
            yield from ((f".{name}", item) for name, item in part.items())
        elif part is not None:
            yield ".__getstate__()", part
    yield from ((f"[{number}]", item) for number, item in enumerate(items or ()))
    yield from ((f"[{key!r}]"[:60], item) for key, item in pairs or ())
    yield from ((f"({number})", item) for number, item in enumerate(arguments or ()))
