"""How the walker tells functions and classes: by name where importing gives them again, else by what they are made of.

Names that a function of the notebook looks up when called are noted, not followed: what they stand for is each
name's own matter, and may change between its making and its call.
"""

from __future__ import annotations

import sys
import types
from dis import opmap
from functools import lru_cache
from typing import Any

from jupyter_mlops.capture.digest.walk import Undigestible, ValueWalk, no_step

_GLOBAL_OPS = frozenset(
    opmap[name]
    for name in (
        "LOAD_GLOBAL",
        "LOAD_NAME",
        "STORE_GLOBAL",
        "DELETE_GLOBAL",
        "DELETE_NAME",
        "LOAD_FROM_DICT_OR_GLOBALS",
    )
    if name in opmap
)
_SHIFTED = opmap["LOAD_GLOBAL"] if sys.version_info >= (3, 11) else -1
"""Its argument has one bit more than the number of the name."""
_EXTENDED = opmap["EXTENDED_ARG"]
_CLASS_CACHES = frozenset(
    {
        "__dict__",
        "__weakref__",
        "__module__",
        "__firstlineno__",
        "__static_attributes__",
        "__slotnames__",
        "__annotations_cache__",
        "_abc_impl",
    }
)
"""What the interpreter itself puts into a class, in part only while instances are copied."""


def find(module: str, name: str) -> Any:
    """What `module` has under a dotted name; None where there is no such thing."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def is_importable(value: Any) -> bool:
    """Whether a function, class or the like is what importing its module and looking its name up gives."""
    module = getattr(value, "__module__", None)
    if not isinstance(module, str) or module == "__main__":
        return False
    return find(module, value.__qualname__) is value


def by_name(walk: ValueWalk, value: Any) -> bool:
    """Whether an importable function or class was fed by its name."""
    known = walk.named.get(id(value))
    if known is None:
        if not is_importable(value):
            return False
        walk.alive.append(value)
        text = f"\0name{type(value).__name__}\0{value.__module__}\0{value.__qualname__}\0"
        known = walk.named[id(value)] = text.encode("utf-8", "surrogatepass"), value.__module__
    walk.update(known[0])
    walk.modules.add(known[1])
    return True


@lru_cache(maxsize=4096)
def global_names(code: types.CodeType) -> frozenset[str]:
    """Names that code, or code nested in it, may look up or set in its globals; builtins are among them."""
    names = set()
    high = 0
    for operation, low in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        argument = high << 8 | low
        if operation == _EXTENDED:
            high = argument
            continue
        high = 0
        if operation in _GLOBAL_OPS:
            names.add(code.co_names[argument >> 1 if operation == _SHIFTED else argument])
    nested = [global_names(item) for item in code.co_consts if isinstance(item, types.CodeType)]
    return frozenset(names.union(*nested))


def function(walk: ValueWalk, value: types.FunctionType) -> None:
    """A function: code, defaults, closure, attributes and annotations; of another namespace its globals too."""
    if by_name(walk, value) or not walk.first_time(value, mutable=False):
        return
    walk.functions.append(value)
    if value.__module__ and value.__module__ != "__main__":
        walk.modules.add(value.__module__)
    walk.tag("function", value.__name__, value.__qualname__, str(value.__module__))
    _code(walk, value.__code__)
    try:
        walk.value(value.__defaults__)
        walk.value(value.__kwdefaults__)
    except Undigestible as error:
        raise error.inside(".__defaults__") from error.__cause__
    _closure(walk, value)
    walk.mapping(dict(value.__annotations__))
    if vars(value):
        walk.shared(vars(value))
        walk.mapping(dict(vars(value)), attributes=True)
    names = global_names(value.__code__)
    if value.__globals__ is walk.namespace:
        walk.globals |= names
        return
    for name in sorted(names):
        if name not in value.__globals__:
            walk.tag("no global", name)
            continue
        walk.tag("global", name)
        try:
            walk.value(value.__globals__[name])
        except Undigestible as error:
            raise error.inside(f".__globals__[{name!r}]") from error.__cause__


def _closure(walk: ValueWalk, value: types.FunctionType) -> None:
    for name, item in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        try:
            cell(walk, item)
        except Undigestible as error:
            raise error.inside(f".<{name}>") from error.__cause__


def cell(walk: ValueWalk, value: types.CellType) -> None:
    """A variable that functions share: `nonlocal` changes it for all of them."""
    if walk.first_time(value):
        try:
            content = value.cell_contents
        except ValueError:
            walk.tag("empty cell")
        else:
            walk.tag("cell")
            walk.value(content)


def code(walk: ValueWalk, value: types.CodeType) -> None:
    """A code object."""
    if walk.first_time(value, mutable=False):
        _code(walk, value)


def _code(walk: ValueWalk, value: types.CodeType) -> None:
    table = getattr(value, "co_exceptiontable", b"")
    walk.tag("code", value.co_name, value.co_code, table)
    walk.sequence(b"name", (value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars))
    walk.sequence(
        b"args", (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount, value.co_flags), no_step
    )
    walk.update(b"\0cons" + len(value.co_consts).to_bytes(8, "little"))
    for constant in value.co_consts:
        if isinstance(constant, types.CodeType):
            _code(walk, constant)
        else:
            walk.value(constant)


def kind(walk: ValueWalk, value: type) -> None:
    """A class: by name, or its bases, metaclass and attributes. Caches that the interpreter keeps in it do not count."""
    if by_name(walk, value) or not walk.first_time(value):
        return
    walk.tag("class", value.__qualname__, str(value.__module__))
    walk.sequence(b"base", value.__bases__, no_step)
    if type(value) is not type:
        walk.value(type(value))
    held = {name: item for name, item in vars(value).items() if name not in _CLASS_CACHES}
    special = {name: held.pop(name) for name in sorted(held) if name.startswith("__") and name.endswith("__")}
    walk.mapping(special, attributes=True)
    walk.mapping(held, attributes=True)
    if "_abc_impl" in vars(value):
        _registered(walk, value)


def _registered(walk: ValueWalk, value: type) -> None:
    """The classes registered with an abstract one."""
    dump = find("_abc", "_get_dump")
    found = [reference() for reference in dump(value)[0]] if dump is not None else []
    walk.unordered(b"abcs", [f"{item.__module__}.{item.__qualname__}" for item in found if item is not None])
