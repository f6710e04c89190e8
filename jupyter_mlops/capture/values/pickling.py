"""The pickler of one component: modules by name, what the notebook defines by value, arrays and frames by their memory."""

from __future__ import annotations

import abc
import dataclasses
import functools
import gc
import importlib
import io
import linecache
import marshal
import os
import pickle
import pickletools
import sys
import types
import weakref
from typing import Any

import cloudpickle
from cloudpickle import cloudpickle as details

from jupyter_mlops.capture.digest import layout
from jupyter_mlops.capture.values import by_state, frames, rebuild
from jupyter_mlops.capture.values.memory import Memory
from jupyter_mlops.capture.values.parts import INLINE, Part

Reduced = Any
"""What `reducer_override` returns: a reduce tuple, or `NotImplemented`."""


class Unstorable(Exception):
    """A value that does not survive storing; the message says why, its path is told by who asks."""


class NamespaceMet(Exception):
    """The value may hold the namespace itself: it is pickled by a slower pickler that looks at each object."""


class _Chunks:
    """The file a pickler writes to: keeps large bytes as they are, uncopied, since bytes do not change."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def write(self, data: Any) -> int:
        self.chunks.append(data if type(data) is bytes else bytes(data))
        return len(data)


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles one component. Afterwards `memory` has its arrays, `buffers` the out-of-band ones, `chunks` the bytes."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._file = _Chunks()
        super().__init__(self._file, protocol=5, buffer_callback=self._out_of_band)
        self.namespace = namespace
        self.memory = Memory()
        self.buffers: list[Part] = []
        self._filled: set[int] = set()
        self._sources: dict[str, str | None] = {}
        self._alive: list[Any] = []
        self._ordinary: dict[int, type] = {}

    @property
    def chunks(self) -> list[bytes]:
        """The pickle, in pieces."""
        return self._file.chunks

    def _out_of_band(self, buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < INLINE:
            return True
        self.buffers.append(Part(raw, fixed=raw.readonly))
        return False

    def reducer_override(self, value: object) -> Reduced:
        """How `value`, which is of no plain type, is pickled."""
        if id(type(value)) in self._ordinary:
            return NotImplemented
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if layout.is_array(value):
            return self.memory.reduce(value)
        if isinstance(value, types.ModuleType):
            return self._module(value)
        special = _SPECIAL.get(type(value))
        if special is not None:
            return special(self, value)
        if reason := refused(value):
            raise Unstorable(reason)
        reduced = frames.reduce(value, self.memory) or by_state.reduce(value)
        if reduced is not None:
            return reduced
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.ndarray):
            self.memory.foreign(value)
        elif str(type(value).__module__).partition(".")[0] != "pandas":  # whose columns differ from one another
            self._ordinary[id(type(value))] = type(value)
        return NotImplemented

    def _module(self, value: types.ModuleType) -> Reduced:
        if self.namespace.get("__builtins__") is value and not hasattr(self, "persistent_id_on"):
            raise NamespaceMet
        if sys.modules.get(value.__name__) is value:
            return importlib.import_module, (value.__name__,)
        return NotImplemented

    def _function(self, value: types.FunctionType) -> Reduced:
        if value.__globals__ is self.namespace:
            scope: Reduced = _LIVE
        else:
            reduced = super().reducer_override(value)
            if reduced is NotImplemented:
                return reduced
            home = value.__globals__.get("__name__")
            if home == "__main__" or getattr(sys.modules.get(str(home)), "__dict__", None) is not value.__globals__:
                return reduced
            scope = _Scope(str(home))
        cells = []
        for where in value.__closure__ or ():
            if id(where) not in self._filled:
                self._filled.add(id(where))
                cells.append(where)
        self._alive += cells
        contents = [(where, content[0]) for where in cells if (content := _contents(where))]
        made = (value.__code__, scope, value.__name__, value.__closure__)
        return rebuild.function, made, (_attributes(value), contents), None, None, rebuild.set_function

    def _code(self, value: types.CodeType) -> Reduced:
        name = value.co_filename
        if name not in self._sources:
            self._sources[name] = None if os.path.exists(name) else "".join(linecache.getlines(name)) or None
        return rebuild.code, (marshal.dumps(value), self._sources[name])

    def _class(self, value: type) -> Reduced:
        reduced = super().reducer_override(value)
        if reduced is NotImplemented or len(reduced) < 6:
            return reduced
        _, arguments, (attributes, _) = reduced[:3]
        attributes = {key: attributes[key] for key in vars(value) if key in attributes}
        if attributes.get("__module__") == "__main__":
            del attributes["__module__"]
        registered = attributes.pop("_abc_impl", None)
        for name, item in list(attributes.items()):
            if isinstance(item, (types.MemberDescriptorType, types.GetSetDescriptorType)):
                del attributes[name]  # made again by the class itself
        if reduced[0] is details._make_skeleton_enum:
            members = {name: _own_attributes(member) for name, member in value.__members__.items()}  # type: ignore[attr-defined]
            state = {key: item for key, item in attributes.items() if key not in members}, members
            return rebuild.enum, _enumeration(value, attributes), state, None, None, rebuild.set_enum
        state = attributes, registered
        metaclass, name, bases = arguments[:3]
        kind = next(parent for parent in metaclass.__mro__ if parent.__module__ != "__main__")
        start: dict[str, Any] = {"__qualname__": value.__qualname__}
        if metaclass in (type, abc.ABCMeta) or kind is not metaclass:
            bases = value.__bases__  # with `__orig_bases__` beside them a generic one is content
            if "__orig_bases__" in attributes:
                start["__orig_bases__"] = attributes.pop("__orig_bases__")
        if value.__module__ != "__main__":
            start["__module__"] = value.__module__
        slots = attributes.pop("__slots__", None)
        if "__slots__" in vars(value):
            slots = vars(value)["__slots__"]
        if metaclass in (type, abc.ABCMeta) and not _has_foreign_hook(value):
            start = {**dict.fromkeys(attributes), **start}  # the places of attributes are kept
        arguments = (kind, metaclass, name, bases, start, slots)
        return rebuild.class_, arguments, state, None, None, rebuild.set_class

    def _builtin(self, value: object) -> Reduced:
        if value is __build_class__ and not hasattr(self, "persistent_id_on"):
            raise NamespaceMet
        return NotImplemented

    def _method(self, value: types.MethodType) -> Reduced:
        return types.MethodType, (value.__func__, value.__self__)

    def _cached(self, value: Any) -> Reduced:
        if value.__module__ != "__main__":
            return NotImplemented
        parameters = value.cache_parameters()
        state = {name: item for name, item in vars(value).items() if name != "__wrapped__"}
        made = (value.__wrapped__, parameters["maxsize"], parameters["typed"])
        return rebuild.cached, made, {**state, "__module__": None}, None, None, rebuild.set_cached

    def _cached_property(self, value: Any) -> Reduced:
        state = {name: item for name, item in vars(value).items() if name not in ("lock", "func")}
        return functools.cached_property, (value.func,), state

    def _weak(self, value: Any) -> Reduced:
        return type(value), (dict(value),)

    def _proxy(self, value: object) -> Reduced:
        return types.MappingProxyType, tuple(gc.get_referents(value))

    def _cell(self, value: types.CellType) -> Reduced:
        if id(value) in self._filled or not (content := _contents(value)):
            return rebuild.cell, ()
        self._filled.add(id(value))
        return rebuild.cell, (), content[0], None, None, rebuild.set_cell

    def _live(self, value: object) -> Reduced:
        return rebuild.namespace, ()

    def _scope(self, value: _Scope) -> Reduced:
        return rebuild.module_scope, (value.module,)


class NamespacePickler(Pickler):
    """Looks at each object whether it is the namespace, which is then the loader's."""

    persistent_id_on = True

    def persistent_id(self, value: object) -> str | None:
        """A name in place of the namespace."""
        return "namespace" if value is self.namespace else None


class _Live:
    """Stands for the live namespace in a reduce tuple."""


@dataclasses.dataclass(frozen=True)
class _Scope:
    module: str


_LIVE = _Live()
_SPECIAL: dict[type, Any] = {
    types.CodeType: Pickler._code,
    types.MethodType: Pickler._method,
    types.CellType: Pickler._cell,
    types.BuiltinFunctionType: Pickler._builtin,
    types.MappingProxyType: Pickler._proxy,
    weakref.WeakKeyDictionary: Pickler._weak,
    weakref.WeakValueDictionary: Pickler._weak,
    functools.cached_property: Pickler._cached_property,
    functools._lru_cache_wrapper: Pickler._cached,
    _Live: Pickler._live,
    _Scope: Pickler._scope,
}
_ATTRIBUTES = ("__defaults__", "__kwdefaults__", "__annotations__", "__qualname__", "__doc__", "__type_params__")


def _enumeration(value: Any, attributes: dict[str, Any]) -> tuple[Any, ...]:
    """What `rebuild.enum` takes: methods are named, since they come before the members."""
    methods = tuple(key for key, item in attributes.items() if hasattr(item, "__get__") and not key.startswith("_"))
    members = {name: member.value for name, member in value.__members__.items()}
    module = None if value.__module__ == "__main__" else value.__module__
    return value.__bases__, value.__name__, value.__qualname__, methods, members, module


def _own_attributes(member: object) -> dict[str, Any]:
    """What the notebook's `__init__` or `__new__` set on a member of an enumeration."""
    made_anew = ("_value_", "_name_", "__objclass__", "_sort_order_")
    return {name: item for name, item in vars(member).items() if name not in made_anew}


def _has_foreign_hook(value: type) -> bool:
    """Whether a library's `__init_subclass__` looks at the class when it is made."""
    for parent in value.__mro__[1:-1]:
        if parent.__module__ not in ("__main__", "typing", "abc") and "__init_subclass__" in vars(parent):
            return True
    return False


def _attributes(value: types.FunctionType) -> dict[str, Any]:
    found = {name: held for name in _ATTRIBUTES if (held := getattr(value, name, None))}
    found["__module__"] = None if value.__module__ == "__main__" else value.__module__
    if vars(value):
        found["__dict__"] = dict(vars(value))
    return found


def _contents(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def refused(value: object) -> str | None:
    """Why a value of this type is not pickled: it would be taken apart from the world it belongs to."""
    if isinstance(value, io.IOBase) and not isinstance(value, (io.BytesIO, io.StringIO)):
        return "is an open file"
    artist = getattr(sys.modules.get("matplotlib.artist"), "Artist", None)
    if artist is not None and isinstance(value, artist):
        return "is a matplotlib figure or a part of one, which belongs to its window or canvas"
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.memmap) and value.mode in ("r+", "w+"):
        return "is a file mapped into memory for writing"
    return None


def refuse_names_of_main(chunks: list[bytes]) -> None:
    """Raise `Unstorable` where the pickle finds something by its name in `__main__`, where it will be another or none."""
    if not any(b"\x08__main__" in chunk for chunk in chunks if len(chunk) < 1 << 20):
        return
    strings: list[Any] = []
    memo: list[Any] = []
    argument: Any
    for opcode, argument, _ in pickletools.genops(b"".join(chunks)):
        if opcode.name == "MEMOIZE":
            memo.append(strings[-1] if strings else None)
        elif opcode.name in ("BINGET", "LONG_BINGET"):
            strings.append(memo[argument])
        elif opcode.name == "STACK_GLOBAL":
            if strings[-2:-1] == ["__main__"]:
                raise Unstorable(f"holds '{strings[-1]}' of the notebook, which is stored only by its name")
            strings.append(None)
        elif opcode.name not in ("FRAME", "PROTO", "MARK"):
            strings.append(argument if isinstance(argument, str) else None)
