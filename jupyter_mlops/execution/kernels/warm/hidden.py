"""Modules loaded ahead and put out of sight: an import brings them back in no time, with what loading them had changed."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from jupyter_mlops.capture.libraries.warned import came_with_libraries


class ImportGroup:
    """What one import loaded: its modules, and the filters of warnings and environment variables: before and after."""

    def __init__(
        self,
        modules: dict[str, ModuleType],
        filters: list[Any],
        environment: dict[str, tuple[str | None, str | None]],
    ) -> None:
        self.modules = modules
        self.filters = filters
        self.environment = environment


class Hidden(importlib.abc.MetaPathFinder):
    """Gives modules back, a group at a time and in the order in which they were loaded."""

    def __init__(self) -> None:
        self._groups: list[ImportGroup] = []
        self._place: dict[str, int] = {}
        self._given = 0
        """How many of the groups were given back."""

    @property
    def names(self) -> set[str]:
        """Top-level names of the modules that are out of sight."""
        return {name.partition(".")[0] for name in self._place}

    def modules(self) -> list[ModuleType]:
        """All that are loaded, in sight or not."""
        return [*sys.modules.values(), *self.out_of_sight().values()]

    def find(self, name: str) -> ModuleType | None:
        """A module that is loaded, in sight or not."""
        groups = [group.modules[name] for group in self._groups if name in group.modules]
        return groups[0] if groups else sys.modules.get(name)

    def load(self, name: str) -> None:
        """Import a module ahead. Raises what its import raises."""
        modules, filters, environment = set(sys.modules), list(warnings.filters), dict(os.environ)
        _import(name)
        standard = sys.stdlib_module_names
        new = {item for item in sys.modules.keys() - modules if item.partition(".")[0] not in standard}
        changed = {key for key in {*environment, *os.environ} if environment.get(key) != os.environ.get(key)}
        self._groups.append(
            ImportGroup(
                {item: sys.modules[item] for item in sys.modules if item in new},
                [item for item in warnings.filters if item not in filters],
                {key: (environment.get(key), os.environ.get(key)) for key in changed},
            )
        )
        for key in changed:
            _set(key, environment.get(key))

    def out_of_sight(self) -> dict[str, ModuleType]:
        """What was loaded ahead, by name."""
        return {name: module for group in self._groups for name, module in group.modules.items()}

    def hide(self) -> None:
        """Put what was loaded out of sight."""
        for index, group in enumerate(self._groups):
            for name in group.modules:
                self._place[name] = index
                del sys.modules[name]
            for item in group.filters:
                warnings.filters.remove(item)  # type: ignore[attr-defined]
        _filters_changed()
        if self._place:
            sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        index = self._place.get(name)
        if index is None or index < self._given:
            return None
        module = self._groups[index].modules[name]
        spec = module.__spec__
        given = importlib.machinery.ModuleSpec(name, _Given(self, module), origin=getattr(spec, "origin", None))
        given.submodule_search_locations = getattr(spec, "submodule_search_locations", None)
        given.has_location = getattr(spec, "has_location", False)
        return given

    def give_back(self, name: str) -> None:
        """Bring back the group of a module, and those that were loaded before it."""
        index = self._place.get(name, -1)
        given = self._groups[self._given : index + 1]
        for group in given:
            sys.modules.update(group.modules)
            warnings.filters[:0] = group.filters  # type: ignore[index]
            came_with_libraries(group.filters)
            for key, (before, after) in group.environment.items():
                if os.environ.get(key) == before:  # else the notebook has set it, which an import respects
                    _set(key, after)
        self._given = max(self._given, index + 1)
        _filters_changed()
        if self._given == len(self._groups) and self in sys.meta_path:
            sys.meta_path.remove(self)


class _Given(importlib.abc.Loader):
    """Loads a module that is there already."""

    def __init__(self, hidden: Hidden, module: ModuleType) -> None:
        self._hidden = hidden
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec
        self._hidden.give_back(module.__name__)


def _import(name: str) -> None:
    """Import `a.b`, and for `a.b:c` also `a.b.c` where `c` is a module of its own."""
    module_name, _, attribute = name.partition(":")
    module = importlib.import_module(module_name)
    if attribute and not hasattr(module, attribute) and hasattr(module, "__path__"):
        importlib.import_module(f"{module_name}.{attribute}")


def _set(key: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(key, None)
    else:
        os.environ[key] = value


def _filters_changed() -> None:
    """The interpreter keeps what it found for a warning until it is told."""
    changed = getattr(warnings, "_filters_mutated", None) or getattr(warnings, "_filters_mutated_lock_held", None)
    if changed is not None:
        changed()
