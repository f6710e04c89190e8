"""A value's digest by content: equal for equal values in any process, and after a round trip through the store.

What cannot be walked to the end raises `Undigestible`: then nothing is known of the value, and the step runs. Functions
and classes of the notebook are followed into their code, closures, defaults and the globals they use. While walking,
the mutable objects met and the memory of arrays are noted, so that sharing between two values can be seen.
"""

from __future__ import annotations

import copyreg
import struct
import sys
import time
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import xxhash

from jupyter_mlops.capture import arrays

ALGORITHM = "xxh3-128:1"
"""Name and version of the canonical form: it is part of every key, so a change of form reuses nothing made before."""

BUDGET_SECONDS = 10.0
"""How long walking one value may take: past it nothing is known of the value, and the step runs."""
_ATOMS = (type(None), bool, int, float, complex, str, bytes)
_PLAIN = {type(None), bool, int, float, str}


class Undigestible(Exception):
    """A value, or a part of it, whose content cannot be told; `path` says which part."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what


@dataclass
class Fingerprint:
    """A value's digest and what was met on the way.

    `ids` of mutable objects and `extents` (first, last address) of array memory are valid while the walker lives;
    `modules` are names of modules that functions, classes and instances met come from; `functions` are those defined
    in the notebook, whose source may be asked for doubts.
    """

    digest: str
    ids: set[int]
    extents: list[tuple[int, int]]
    modules: set[str]
    functions: list[types.FunctionType]

    def shares_with(self, other: Fingerprint) -> bool:
        """Whether the two values have a mutable object or array memory in common."""
        if self.ids & other.ids:
            return True
        return any(low < end and start < high for low, high in self.extents for start, end in other.extents)


class Walker:
    """Walks values of one namespace. Keeps all it met alive, so that ids stay true until it is dropped."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self._alive: list[Any] = []

    def fingerprint(self, name: str, value: Any) -> Fingerprint:
        """The fingerprint of `value`, called `name` in errors. Raises `Undigestible`."""
        walk = _Walk(self.namespace, name, self._alive)
        try:
            walk.value(value)
        except RecursionError:
            raise Undigestible(name, "it is nested too deeply") from None
        except Undigestible:
            raise
        except Exception as error:
            raise Undigestible(name, f"{type(error).__name__}: {error}"[:200]) from error
        return Fingerprint(walk.hash.hexdigest(), walk.ids, walk.extents, walk.modules, walk.functions)


class _Walk:
    def __init__(self, namespace: dict[str, Any], path: str, alive: list[Any]) -> None:
        self.namespace = namespace
        self.path = path
        self.hash = xxhash.xxh3_128()
        self.ids: set[int] = set()
        self.extents: list[tuple[int, int]] = []
        self.modules: set[str] = set()
        self.functions: list[types.FunctionType] = []
        self._alive = alive
        self._seen: dict[int, int] = {}
        self._in_frame = 0
        self._in_index = 0
        self._deadline = time.monotonic() + BUDGET_SECONDS

    def value(self, value: Any) -> None:
        kind = type(value)
        if kind in _ATOMS:
            self._atom(kind, value)
        elif kind is tuple:
            self._sequence("tuple", value)
        elif kind is frozenset:
            self._set("frozenset", value)
        elif isinstance(value, types.ModuleType):
            if sys.modules.get(value.__name__) is not value:
                raise Undigestible(self.path, f"the module {value.__name__} is not the imported one")
            self._tag("module", value.__name__)
            self.modules.add(value.__name__)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, (types.BuiltinFunctionType, types.MethodWrapperType)):
            self._builtin(value)
        elif arrays.is_dtype(value) or arrays.is_scalar(value):
            self._tag("numpy", kind.__name__, *arrays.atom_bytes(value))
        elif self._in_index or arrays.is_index(kind) or self._first_time(value):
            self._compound(kind, value)

    def _compound(self, kind: type, value: Any) -> None:
        if kind is list:
            self._sequence("list", value)
        elif kind is dict:
            self._dict(value)
        elif kind is set:
            self._set("set", value)
        elif kind is bytearray:
            self._tag("bytearray", bytes(value))
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.MethodType):
            self._tag("method")
            self.value(value.__func__)
            self.value(value.__self__)
        elif arrays.is_array(value):
            self._array(value)
        elif arrays.is_arrow(value):
            self._tag("arrow", str(value.type))
            self._blob(arrays.arrow_bytes(value))
        elif isinstance(value, types.CellType):
            self._tag("cell")
            self.value(_cell_contents(value))
        else:
            self._reduced(kind, value)

    def _tag(self, *parts: str | bytes) -> None:
        for part in parts:
            data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
            self.hash.update(struct.pack("<q", len(data)))
            self.hash.update(data)

    def _blob(self, data: Any) -> None:
        self.hash.update(struct.pack("<q", memoryview(data).nbytes))
        self.hash.update(data)

    def _atom(self, kind: type, value: Any) -> None:
        if kind is bytes:
            self._tag("bytes", value)
        elif kind is float:
            self._tag("float", struct.pack("<d", value))
        else:
            self._tag(kind.__name__, value if kind is str else repr(value))

    def _first_time(self, value: Any) -> bool:
        """Whether `value` is met for the first time in this walk; if not, its number stands for it."""
        number = self._seen.get(id(value))
        if number is not None:
            self._tag("again", str(number))
            return False
        self._seen[id(value)] = len(self._seen)
        if len(self._seen) % 4096 == 0 and time.monotonic() > self._deadline:
            raise Undigestible(self.path, f"telling its content takes over {BUDGET_SECONDS:.0f} s")
        self._alive.append(value)
        if not self._in_frame and not isinstance(value, types.FunctionType):
            self.ids.add(id(value))
        return True

    def _sequence(self, tag: str, values: Any) -> None:
        self._tag(tag, str(len(values)))
        if len(values) > 16 and {*map(type, values)} <= _PLAIN:
            self._tag("plain", repr(list(values)))
            return
        for item in values:
            self.value(item)

    def _dict(self, value: dict[Any, Any]) -> None:
        self._tag("dict", str(len(value)))
        for key, item in value.items():
            self.value(key)
            self.value(item)

    def _set(self, tag: str, values: Iterable[Any]) -> None:
        digests = []
        for item in values:
            inner = _Walk(self.namespace, self.path, self._alive)
            inner.value(item)
            digests.append(inner.hash.digest())
            self.modules |= inner.modules
            self.functions += inner.functions
        self._tag(tag, *sorted(digests))

    def _array(self, value: Any) -> None:
        self._tag("ndarray", arrays.layout(value), "w" if value.flags.writeable or self._in_frame else "r")
        if not (self._in_index or (self._in_frame and arrays.frames_are_copies())):
            extent = arrays.extent(value)
            if extent is not None:
                self.extents.append(extent)
        if not value.dtype.hasobject:
            self._blob(arrays.raw(value))
            return
        text = arrays.text_bytes(value)
        if text is not None:
            self._tag("text")
            for part in text:
                self._blob(part)
            return
        depth = self._in_frame, self._in_index
        self._in_frame = self._in_index = 0
        for item in value.ravel("K").tolist():
            self.value(item)
        self._in_frame, self._in_index = depth

    def _builtin(self, value: Any) -> None:
        owner = getattr(value, "__self__", None)
        name = getattr(value, "__qualname__", value.__name__)
        if owner is None or isinstance(owner, types.ModuleType):
            self._tag("builtin", str(getattr(value, "__module__", "")), name)
        else:
            self._tag("bound", name)
            self.value(owner)

    def _class(self, value: type) -> None:
        module = value.__module__
        if _importable(value):
            self._tag("class", module, value.__qualname__)
            self.modules.add(module)
        elif self._first_time(value):
            self._tag("class of the notebook", value.__qualname__)
            for base in value.__bases__:
                self.value(base)
            for name, item in vars(value).items():
                if name not in ("__dict__", "__weakref__", "__module__", "__firstlineno__", "__static_attributes__"):
                    self._tag(name)
                    self._member(item)

    def _member(self, item: Any) -> None:
        if isinstance(item, (staticmethod, classmethod)):
            self._tag(type(item).__name__)
            self.value(item.__func__)
        elif isinstance(item, property):
            self._tag("property")
            for part in (item.fget, item.fset, item.fdel):
                self.value(part)
        elif isinstance(item, (types.GetSetDescriptorType, types.MemberDescriptorType)):
            self._tag("slot", item.__name__)
        else:
            self.value(item)

    def _function(self, value: types.FunctionType) -> None:
        if _importable(value):
            self._tag("function", str(value.__module__), value.__qualname__)
            self.modules.add(str(value.__module__))
            return
        self.functions.append(value)
        if value.__module__ and value.__module__ != "__main__":
            self.modules.add(value.__module__)
        self._tag("function of the notebook", value.__name__)
        self._code(value.__code__)
        self.value(value.__defaults__)
        self.value(value.__kwdefaults__)
        for cell in value.__closure__ or ():
            self.value(_cell_contents(cell))
        if vars(value):
            self._dict(dict(vars(value)))
        for name in sorted(_global_names(value.__code__)):
            if name in value.__globals__:
                self._tag("global", name)
                self.value(value.__globals__[name])
            else:
                self._tag("no global", name)

    def _code(self, code: types.CodeType) -> None:
        self._tag(code.co_name, code.co_code, repr((code.co_names, code.co_varnames, code.co_freevars)))
        self._tag(repr((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant)
            else:
                self.value(constant)

    def _global(self, kind: type, value: Any, name: str) -> None:
        """An object that is one of a module's own, such as a ufunc. One of the notebook's may hide code or a cache."""
        module = getattr(value, "__module__", None) or kind.__module__
        if module == "__main__" or _find(module, name) is not value:
            raise Undigestible(self.path, f"a {kind.__name__} made in the notebook")
        self._tag("global", module, name)
        self.modules.add(module)

    def _reduced(self, kind: type, value: Any) -> None:
        """Any other object: what pickling would take of it."""
        if kind.__module__ == "__main__":
            self.value(kind)
        reducer: Callable[[Any], Any] | None = copyreg.dispatch_table.get(kind)
        try:
            reduced = reducer(value) if reducer else value.__reduce_ex__(4)
        except TypeError as error:
            raise Undigestible(self.path, str(error)) from None
        if isinstance(reduced, str):
            self._global(kind, value, reduced)
            return
        self._alive.append(reduced)
        self.modules.add(kind.__module__)
        frame = arrays.is_frame_part(kind)
        index = arrays.is_index(kind)
        self._in_frame += frame
        self._in_index += index
        self._tag("object", kind.__module__, kind.__qualname__)
        function, arguments, *rest = reduced
        self.value(function)
        self.value(arguments)
        state, items, pairs = (*rest, None, None, None)[:3]
        if isinstance(state, dict):
            self._dict(state)
        else:
            self.value(state)
        for group in (items, pairs):
            self._tag("items")
            for item in group or ():
                self.value(item)
        own = {name: item for name, item in getattr(value, "__dict__", {}).items() if name[:1] != "_"} if frame else {}
        if own:  # such as `df.name = "train"`, which pandas does not pickle
            self._tag("attributes")
            self._dict(own)
        self._in_frame -= frame
        self._in_index -= index


def _find(module: str, name: str) -> Any:
    """What `module` has under a dotted name; None where there is no such thing."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _importable(value: Any) -> bool:
    """Whether a function or class is what importing its module and looking its name up gives."""
    if value.__module__ in (None, "__main__"):
        return False
    return _find(value.__module__, value.__qualname__) is value


def _cell_contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return "<empty>"


def _global_names(code: types.CodeType) -> set[str]:
    """Names that a function may look up in its globals: a superset, attribute names included."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names
