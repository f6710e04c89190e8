"""What stored pickles call to make values again: arrays from buffers, functions and classes of the notebook, odd types.

The names of these functions stand in stored results: one that changes its meaning needs a new name.
"""

from __future__ import annotations

import functools
import importlib
import linecache
import marshal
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

MODULE = __name__


def array(number: int, dtype: object, shape: tuple[int, ...]) -> Any:
    """The array `number` of the component. Stands for `reading.Loader.array`."""
    raise NotImplementedError


def texts(lengths: Any, letters: Any, shape: tuple[int, ...], order: Any) -> Any:
    """An object array of nothing but `str`, equal ones being one object."""
    import numpy

    whole = letters.tobytes().decode("utf-8", "surrogatepass")
    known: dict[str, str] = {}
    items, start = [], 0
    for length in lengths.tolist():
        text = whole[start : start + length]
        items.append(known.setdefault(text, text))
        start += length
    flat = numpy.empty(len(items), dtype=object)
    flat[:] = items
    return flat.reshape(shape, order=order)


def objects_view(root: Any, start: int, shape: tuple[int, ...], strides: tuple[int, ...], writeable: bool) -> Any:
    """A view on an array of objects."""
    import numpy

    flat = root.reshape(-1, order="A")
    step = root.itemsize
    reach = range(flat.size)  # negative steps go down from the start, so it is a view from the lowest element
    low = start + sum(min(0, (size - 1) * stride // step) for size, stride in zip(shape, strides, strict=True))
    made = numpy.lib.stride_tricks.as_strided(flat[reach[low] :], shape, tuple(map(abs, strides)))
    made = made[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in strides)]
    if not writeable:
        made.flags.writeable = False
    return made


def set_cell(made: types.CellType, value: object) -> None:
    """Fill a closure cell."""
    made.cell_contents = value


def namespace() -> dict[str, Any]:
    """The live namespace. Stands for what the loader was given."""
    raise NotImplementedError


def module_scope(name: str) -> dict[str, Any]:
    """The globals of a module, for a function that a decorator of it made."""
    return importlib.import_module(name).__dict__


def read_only(value: Any) -> Any:
    """An array that may not be written to."""
    value.flags.writeable = False
    return value


def cell() -> types.CellType:
    """An empty closure cell; the function that holds it first fills it."""
    return types.CellType()


def code(data: bytes, source: str | None) -> types.CodeType:
    """A code object, whose source lines are known to `linecache` again."""
    made: types.CodeType = marshal.loads(data)
    name = made.co_filename
    if source is not None and name not in linecache.cache:
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    return made


def function(
    made: types.CodeType, scope: dict[str, Any], name: str, cells: tuple[types.CellType, ...] | None
) -> types.FunctionType:
    """A function of the notebook, without what it holds."""
    return types.FunctionType(made, scope, name, None, cells)


def set_function(made: types.FunctionType, state: tuple[Mapping[str, Any], list[tuple[types.CellType, Any]]]) -> None:
    """Give a function its defaults and attributes, and its cells their contents."""
    attributes, contents = state
    for name, value in attributes.items():
        if name == "__dict__":
            made.__dict__.update(value)
        else:
            setattr(made, name, "__main__" if name == "__module__" and value is None else value)
    for where, value in contents:
        where.cell_contents = value


def class_(
    kind: type, metaclass: type, name: str, bases: tuple[type, ...], start: Mapping[str, Any], slots: object
) -> type:
    """A class of the notebook, without what it holds.

    Hooks of the notebook (`__init_subclass__`, a metaclass's `__new__`) ran when the class was made first, and what they
    did is part of the state of what they did it to; they do not run again. `kind` is the metaclass that makes the class.
    """
    hooks = [
        (base, vars(base)["__init_subclass__"])
        for base in dict.fromkeys(parent for base in bases for parent in getattr(base, "__mro__", ()))
        if base.__module__ == "__main__" and "__init_subclass__" in vars(base)
    ]
    content = {"__module__": "__main__", **start}
    if slots is not None:
        content["__slots__"] = slots
    for base, _ in hooks:
        type.__delattr__(base, "__init_subclass__")
    try:
        if kind is metaclass:
            return types.new_class(name, bases, {"metaclass": metaclass}, lambda scope: scope.update(content))
        made: type = kind.__new__(metaclass, name, bases, content)
        return made
    finally:
        for base, hook in hooks:
            type.__setattr__(base, "__init_subclass__", hook)


def enum(
    bases: tuple[type, ...],
    name: str,
    qualname: str,
    methods: tuple[str, ...],
    members: Mapping[str, Any],
    module: str | None,
) -> type:
    """An enumeration of the notebook with its members; each of its methods has a place, but no content."""
    metaclass: Any = type(bases[-1])
    content = metaclass.__prepare__(name, bases)
    content["__module__"] = module or "__main__"
    content["__qualname__"] = qualname
    for key in methods:
        content[key] = _no_method
    for key, value in members.items():
        content[key] = value
    made: type = metaclass.__new__(metaclass, name, bases, content)
    return made


def _no_method() -> None:
    """Keeps the place of a method that is not loaded yet."""


def set_enum(made: Any, state: tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]) -> None:
    """Give an enumeration its methods, and its members what they were given when they were made."""
    attributes, members = state
    set_class(made, (attributes, None))
    for name, own in members.items():
        vars(made.__members__[name]).update(own)


def set_class(made: type, state: tuple[Mapping[str, Any], Iterable[type] | None]) -> None:
    """Give a class of the notebook its attributes, and an abstract one the classes registered with it."""
    attributes, registered = state
    for name, value in attributes.items():
        type.__setattr__(made, name, value)
    if "__firstlineno__" in attributes:  # setting another attribute may drop it
        type.__setattr__(made, "__firstlineno__", attributes["__firstlineno__"])
    for other in registered or ():
        made.register(other)  # type: ignore[attr-defined]


def cached(wrapped: Callable[..., Any], size: int | None, typed: bool) -> Any:
    """A function under `functools.lru_cache`, nothing cached."""
    return functools.lru_cache(maxsize=size, typed=typed)(wrapped)


def set_cached(made: object, state: Mapping[str, Any]) -> None:
    """Give a cached function its names and attributes."""
    made.__dict__.update(state, __module__=state["__module__"] or "__main__")


def set_attributes(made: object, state: Mapping[str, Any]) -> None:
    """Give an object the attributes it had, past a `__setstate__` that would drop them."""
    made.__dict__.update(state)


def set_own_attributes(made: Any, _: bool) -> None:
    """Let a dictionary be its own attributes, as it was."""
    made.__dict__ = made


def set_frame(made: Any, state: tuple[Any, Mapping[str, Any]]) -> None:
    """Give a frame its state, and the attributes of its own that pandas forgets."""
    made.__setstate__(state[0])
    for name, value in state[1].items():
        object.__setattr__(made, name, value)
