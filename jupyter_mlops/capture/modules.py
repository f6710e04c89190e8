"""Project-local modules: those that no package version stands for. Their source, and what they hold, is part of the key."""

from __future__ import annotations

import importlib.machinery
import os
import sys
import types
from pathlib import Path
from typing import Any

from jupyter_mlops.analysis.code import source_facts
from jupyter_mlops.analysis.doubts import Doubts
from jupyter_mlops.capture.digest import Undigestible, Walker
from jupyter_mlops.capture.watch import is_library_file
from jupyter_mlops.store.digests import file_digest

_OURS = __name__.partition(".")[0]


class LocalModules:
    """Knows the local modules of this process, and the source each had when it was first seen loaded."""

    def __init__(self) -> None:
        self._first_seen: dict[str, str] = {}
        self._library: set[str] = set()

    def look(self) -> None:
        """Note the source of local modules that were loaded since the last look."""
        for name in sys.modules.keys() - self._library - self._first_seen.keys():
            file = _local_file(sys.modules.get(name))
            if file is None:
                self._library.add(name)
            else:
                self._first_seen[name] = file_digest(file)

    def closure(self, names: set[str]) -> dict[str, str]:
        """The local modules that `names` and, in turn, their imports lead to: dotted name → source file."""
        found: dict[str, str] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            file = self._file(name)
            if file is None or name in found:
                continue
            found[name] = file
            parent = name.rpartition(".")[0]
            waiting += [parent] if parent else []
            waiting += _imports_of(file, name)
        return found

    def _file(self, name: str) -> str | None:
        if name in self._library or name.partition(".")[0] in (_OURS, "__main__", "builtins"):
            return None
        module = sys.modules.get(name)
        return _local_file(module) if module is not None else _find_file(name)

    def ingredients(self, names: dict[str, str], walker: Walker) -> tuple[dict[str, str], list[str]]:
        """For `closure`'s modules: name → digest of source and of what the loaded module holds; and what is in doubt."""
        digests: dict[str, str] = {}
        doubts: list[str] = []
        for name, file in sorted(names.items()):
            source = file_digest(file)
            seen = self._first_seen.get(name)
            if seen is not None and seen != source:
                doubts.append(f"{os.path.basename(file)} changed since it was imported (restart the kernel)")
            digests[name] = source
            module = sys.modules.get(name)
            if module is not None:
                try:
                    held = walker.fingerprint(name, _held(module))
                    digests[name] += ":" + held.digest
                except Undigestible as error:
                    doubts.append(f"uses the module {name}, which holds something of unknown content ({error.what})")
        return digests, doubts


def module_doubts(file: str) -> Doubts | None:
    """What is doubtful anywhere in a local module's source; None where it is not readable Python."""
    try:
        return source_facts(Path(file).read_text(encoding="utf-8")).doubts
    except (OSError, SyntaxError, ValueError):
        return None


def _held(module: types.ModuleType) -> dict[str, Any]:
    """What a module's names hold, but for what its source makes anew each time and for other modules."""
    held = {}
    for name, value in vars(module).items():
        if name.startswith("__") or isinstance(value, types.ModuleType):
            continue
        if isinstance(value, (type, types.FunctionType)) and value.__module__ == module.__name__:
            held[name] = _code_of(value)
        else:
            held[name] = value
    return held


def _code_of(value: Any) -> Any:
    """A function's or class's own code as plain values: shows when it was replaced by hand."""
    if isinstance(value, types.FunctionType):
        return (value.__qualname__, value.__code__.co_code, value.__code__.co_names, value.__defaults__)
    return [(name, _code_of(item)) for name, item in vars(value).items() if isinstance(item, types.FunctionType)]


def _local_file(module: Any) -> str | None:
    """The source file of a module that is neither the interpreter's, a package's nor ours."""
    file = getattr(module, "__file__", None)
    name = getattr(module, "__name__", "")
    if not isinstance(file, str) or name.partition(".")[0] == _OURS:
        return None
    return None if is_library_file(file) else os.path.abspath(file)


def _find_file(name: str) -> str | None:
    """Where the import of a module that is not loaded would find its source; nothing is imported for it."""
    path: list[str] | None = None
    spec = None
    for depth in range(name.count(".") + 1):
        part = ".".join(name.split(".")[: depth + 1])
        spec = importlib.machinery.PathFinder.find_spec(part, path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or [])
    origin = spec.origin if spec is not None else None
    if not isinstance(origin, str) or not os.path.isfile(origin) or is_library_file(origin):
        return None
    return os.path.abspath(origin)


def _imports_of(file: str, name: str) -> list[str]:
    try:
        imports = source_facts(Path(file).read_text(encoding="utf-8")).names.imports
    except (OSError, SyntaxError, ValueError):
        return []
    package = name if os.path.basename(file) == "__init__.py" else name.rpartition(".")[0]
    found = []
    for dotted in imports:
        level = len(dotted) - len(dotted.lstrip("."))
        if not level:
            found.append(dotted)
            continue
        base = package.split(".")[: len(package.split(".")) - level + 1]
        found.append(".".join([*base, *filter(None, [dotted.lstrip(".")])]))
    return [item for item in found if item]
