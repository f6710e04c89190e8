"""Module-level state of packages that have no known options: what a step rebinds, registers or patches in them.

A snapshot holds, for each loaded module, a shallow copy of its names, of the containers and singletons they lead to (two
levels deep) and of its own classes. A module that did not change keeps its record, so that comparing costs little.
"""

from __future__ import annotations

import functools
import operator
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

from jupyter_mlops.capture.libraries.tables import is_filled_once, is_noted_at_access

_KNOWN = frozenset(
    {"pandas", "numpy", "sklearn", "matplotlib", "mpl_toolkits", "matplotlib_inline", "torch", "mlflow", "IPython"}
    | {"ipykernel", "traitlets", "zmq", "tornado", "jupyter_client", "pytest", "_pytest", "joblib", "threadpoolctl"}
    | {"pyarrow", "numexpr", "tqdm", "jupyter_mlops"}
    | set(sys.stdlib_module_names)
)
"""Packages with fingerprints of their own, and those that serve the shell."""
_HARMLESS = ("cache", "memo", "lazy", "_lock", "counter", "weakref", "pool", "loaded", "warned", "importable")
_MANY = 20_000
"""Of a longer container only the length is compared."""
_DEPTH = 2
_LEAVES = (str, int, float, bool, bytes, type(None), types.FunctionType, types.BuiltinFunctionType, types.ModuleType)


@dataclass(frozen=True)
class _Watched:
    """One mutable thing, by its path from the module, and what was in it; `content` gives what is in it now."""

    path: str
    target: Any
    content: Callable[[Any], Any]
    copy: Any
    module: str = ""


@dataclass(frozen=True)
class _ModuleRecord:
    """What was seen of one module."""

    module: types.ModuleType
    names: dict[str, Any]
    watched: tuple[_Watched, ...]

    def unchanged(self) -> bool:
        """Whether all is the same object it was."""
        now = vars(self.module)
        if len(now) != len(self.names) or not all(map(operator.is_, now.values(), self.names.values())):
            return False
        return all(_holds(item) for item in self.watched)


class _Package:
    """All records of one package, and their contents in one row each, so that comparing them is one pass in C."""

    def __init__(self, modules: dict[str, types.ModuleType], former: _Package | None) -> None:
        self.modules = modules
        self.records: dict[str, object] = {}
        for name, module in modules.items():
            record = None if former is None else former.records.get(name)
            if not isinstance(record, _ModuleRecord) or record.module is not module or not record.unchanged():
                record = _record(module)
            self.records[name] = record
        watched = [item for record in self.records.values() for item in cast("_ModuleRecord", record).watched]
        self._named: list[Any] = [*modules.values(), *(item.target for item in watched if item.content is vars)]
        plain = [item.target for item in watched if item.content is _itself and len(item.target) <= _MANY]
        self._slotted = [item for item in watched if item.content not in (vars, _itself)]
        self._mappings: list[Any] = [item for item in plain if isinstance(item, dict)]
        self._rows: list[Any] = [item for item in plain if not isinstance(item, dict)]
        self._lengths = self._lengths_now()
        self._content = tuple(self._content_now())

    def _lengths_now(self) -> list[int]:
        return [*map(len, map(vars, self._named)), *map(len, self._mappings), *map(len, self._rows)]

    def _content_now(self) -> Iterator[Any]:
        flat = chain.from_iterable
        return chain(
            flat(map(_VALUES, map(vars, self._named))),
            flat(map(_VALUES, self._mappings)),
            flat(self._mappings),
            flat(self._rows),
        )

    def unchanged(self, modules: dict[str, types.ModuleType]) -> bool:
        """Whether the same modules are loaded, and all they hold is the same object it was."""
        if modules is not self.modules and modules != self.modules:
            return False
        return (
            self._lengths_now() == self._lengths
            and all(map(operator.is_, self._content_now(), self._content))
            and all(map(_holds, self._slotted))
        )


_VALUES = operator.methodcaller("values")
_packages: dict[str, _Package] = {}
_loaded: list[Any] = []
_by_package: dict[str, dict[str, types.ModuleType]] = {}


def package_snapshot(packages: Iterable[str]) -> dict[str, object]:
    """Module → what it holds, for all loaded modules of these top-level packages."""
    records: dict[str, object] = {}
    unknown = set(packages) - _KNOWN
    loaded = _grouped() if unknown else {}
    for root in unknown:
        modules = loaded.get(root)
        if modules is None:
            continue
        package = _packages.get(root)
        if package is None or not package.unchanged(modules):
            package = _packages[root] = _Package(modules, package)
        records |= package.records
    return records


_at_import: dict[str, object] = {}
"""Module → what it held when the import that loaded it ended."""


def note_imported(package: str) -> None:
    """An import of the package has ended: remember what modules held that it loaded, for steps that go on to change it."""
    for name, record in package_snapshot({package}).items():
        known = _at_import.get(name)
        if not isinstance(known, _ModuleRecord) or known.module is not cast("_ModuleRecord", record).module:
            _at_import[name] = record


def note_module(name: str) -> None:
    """The same of one module, and of nothing else: it was imported now, perhaps anew."""
    record = package_snapshot({name.partition(".")[0]}).get(name)
    if record is not None:
        _at_import[name] = record


def _grouped() -> dict[str, dict[str, types.ModuleType]]:
    """The loaded modules by top-level package."""
    now = list(sys.modules.values())
    if len(now) != len(_loaded) or not all(map(operator.is_, now, _loaded)):
        _loaded[:] = now
        _by_package.clear()
        for name, module in list(sys.modules.items()):
            if isinstance(module, types.ModuleType):
                _by_package.setdefault(name.partition(".")[0], {})[name] = module
    return _by_package


def package_changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """What changed, by dotted name; of modules that were not loaded before, since their import ended.

    What is filled lazily does not count.
    """
    changes: list[str] = []
    told: set[tuple[int, str]] = set()
    for name, new in after.items():
        old = before.get(name, _at_import.get(name))
        if new is old or not isinstance(old, _ModuleRecord) or not isinstance(new, _ModuleRecord):
            continue
        for owner, path in _differences(old, new, before):
            key = (id(owner), path.rpartition(".")[2])  # a thing that many modules name is told once
            if key not in told:
                told.add(key)
                changes.append(f"{name}.{path}")
    return changes


def _holds(item: _Watched) -> bool:
    now, then = item.content(item.target), item.copy
    if len(now) != len(then):
        return False
    if isinstance(then, range):
        return True
    if isinstance(now, Mapping):
        return all(map(operator.is_, now.values(), then.values())) and now.keys() == then.keys()
    if isinstance(now, (set, frozenset)):
        return bool(now == then)
    return all(map(operator.is_, now, then))


def _record(module: types.ModuleType) -> _ModuleRecord:
    names = dict(vars(module))
    watched: list[_Watched] = []
    seen: set[int] = set()
    for name, value in names.items():
        if not name.startswith("__") and not _is_harmless(name):
            watched += _watch(name, value, module.__name__, seen, _DEPTH)
    return _ModuleRecord(module, names, tuple(watched))


def _watch(path: str, value: object, module: str, seen: set[int], depth: int) -> Iterator[_Watched]:
    """`value` if it is mutable and the module's own, and what it leads to."""
    if isinstance(value, _LEAVES) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, type):
        if value.__module__ == module:
            yield _Watched(path, value, vars, dict(vars(value)), module)
            yield from _inside(path, vars(value), module, seen, depth)
        return
    kind = type(value)
    if isinstance(value, (dict, list, set)):
        content: Callable[[Any], Any] = _itself
    elif kind.__module__.partition(".")[0] != module.partition(".")[0]:
        return
    elif type(getattr(value, "__dict__", None)) is dict:
        content = vars
    elif getattr(kind, "__slots__", ()):
        content = _slots
    else:
        return
    held = content(value)
    yield _Watched(path, value, content, range(len(held)) if len(held) > _MANY else held.copy(), module)
    if isinstance(held, dict) and depth:
        yield from _inside(path, held, module, seen, depth)


def _inside(path: str, held: Mapping[Any, Any], module: str, seen: set[int], depth: int) -> Iterator[_Watched]:
    if depth and len(held) <= _MANY:
        for key, item in list(held.items()):
            text = _text(key)
            if not text.startswith("__") and not _is_harmless(text):
                yield from _watch(f"{path}.{text}", item, module, seen, depth - 1)


def _itself(value: object) -> Any:
    return value


def _slots(value: object) -> dict[str, Any]:
    names = getattr(type(value), "__slots__", ())
    return {name: getattr(value, name, None) for name in ([names] if isinstance(names, str) else names)}


def _is_harmless(name: str) -> bool:
    lowered = name.lower()
    return any(part in lowered for part in _HARMLESS)


def _differences(old: _ModuleRecord, new: _ModuleRecord, before: Mapping[str, object]) -> Iterator[tuple[Any, str]]:
    """The thing that changed, and its path from the module."""
    for name in [*old.names, *(name for name in new.names if name not in old.names)]:
        if old.names.get(name) is not new.names.get(name) and not _is_harmless_name(name, old, new):
            yield new.module, name
    then = {item.path: item for item in old.watched}
    for item in new.watched:
        former = then.get(item.path)
        if former is None or former.target is not item.target:
            continue  # it was rebound: told by its owner
        for path in _changed_inside(former, item, before):
            yield item.target, path


def _is_harmless_name(name: str, old: _ModuleRecord, new: _ModuleRecord) -> bool:
    if name.startswith("__") or _is_harmless(name):
        return True
    value = new.names.get(name)
    if name in old.names:
        return _was_lazy(old.names[name]) or (
            not old.names[name] and is_filled_once(old.module.__name__, None, name, value)
        )
    if isinstance(value, types.ModuleType):
        return True  # a submodule that was imported
    root = old.module.__name__.partition(".")[0]
    origin = str(getattr(value, "__module__", None) or type(value).__module__)
    return "__getattr__" in new.names and origin.partition(".")[0] == root


def _changed_inside(former: _Watched, after: _Watched, before: Mapping[str, object]) -> Iterator[str]:
    then, now = former.copy, after.copy
    if not isinstance(now, Mapping) or not isinstance(then, Mapping):
        if not _holds(_Watched(after.path, now, _itself, then)):
            yield after.path
        return
    for key in {**then, **now}:
        if then.get(key) is now.get(key) and (key in then) == (key in now):
            continue
        text = _text(key)
        if text.startswith("__") and after.content is vars:
            continue
        if key not in then and (_is_by_import(key, before, after) or _is_by_import(now[key], before, after)):
            continue
        if (
            _is_harmless(text)
            or _was_lazy(then.get(key))
            or (after.content is vars and _is_filled_in(after.target, text))
            or (after.content is vars and is_noted_at_access(after.target, text))
            or (
                after.content is vars
                and not then.get(key)
                and is_filled_once(after.module, after.target, text, now.get(key))
            )
        ):
            continue
        yield f"{after.path}.{text}"


def _is_by_import(item: object, before: Mapping[str, object], after: _Watched) -> bool:
    """Whether it comes from a part of the same package that was not loaded before, and was registered by its import."""
    origin = getattr(item, "__module__", None)
    return (
        isinstance(origin, str) and origin not in before and origin.partition(".")[0] == after.module.partition(".")[0]
    )


def _is_filled_in(target: object, name: str) -> bool:
    """Whether the attribute is one that its class computes at the first use."""
    return isinstance(getattr(type(target), name, None), functools.cached_property)


def _was_lazy(value: object) -> bool:
    """Whether it only stood for what is made at the first use."""
    return type(value) is object or "lazy" in type(value).__name__.lower()


def _text(key: object) -> str:
    return (key if isinstance(key, str) else repr(key))[:40].replace("\n", " ")
