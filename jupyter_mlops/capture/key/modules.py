"""Project-local modules: those that no package version stands for. Their source is part of the key; what a loaded one
holds only where that is no more what it was right after the import, so that it does not matter whether it is loaded.
"""

from __future__ import annotations

import ast
import os
import sys
import types
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import xxhash

from jupyter_mlops.analysis.code.doubts import Doubts
from jupyter_mlops.analysis.code.facts import CodeFacts, source_facts
from jupyter_mlops.capture.digest.content import Undigestible, Walker
from jupyter_mlops.capture.key.conditions import depended_on
from jupyter_mlops.capture.key.fixed_modules import fixed_source, has_changed, install_where_told
from jupyter_mlops.capture.key.import_notes import ImportNotes, find_by_others
from jupyter_mlops.capture.key.module_state import held_by
from jupyter_mlops.capture.libraries.snapshots import note_module
from jupyter_mlops.capture.observe.watch import begin, import_reads
from jupyter_mlops.capture.origin.calls import is_library_file
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.store.files.digests import file_digest
from jupyter_mlops.store.files.zipped_modules import archive_of, source_text

_OURS = __name__.partition(".")[0]


_libraries: dict[int, Any] = {}
"""Loaded modules that are known to be libraries', by their identity."""
_library_names: set[str] = set()
"""What those of them are called that can be seen: a fork need not look at them, each of which would copy a page of memory.
Of what is out of sight only the modules themselves are known: the notebook may have one of its own under such a name."""
_newest: list[Any] = ["", None]
"""The module that was loaded last of those in sight then, where all of them are libraries'."""


"""Libraries' modules that came at once, by the name of the last: that module, how many modules there are with them, the
last one before them, and how many there were before."""


def know_libraries(modules: Mapping[str, Any]) -> None:
    """Learn which of these modules, and of those in sight, are libraries': forks of this process need not ask again."""
    for name, module in [*modules.items(), *sys.modules.items()]:
        if _local_file(module) is None:
            _libraries[id(module)] = module
            if name != "__main__" and sys.modules.get(name) is module:
                _library_names.add(name)
    if sys.modules.keys() - _library_names <= {"__main__"}:
        newest = next(reversed(sys.modules))
        _newest[:] = newest, sys.modules[newest]


class LocalModules:
    """Knows the local modules of this process, and what each was when its import ended."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}
        self._pristine: dict[str, tuple[types.ModuleType, str | None]] = {}
        self._library: set[str] = set()
        self._newest: tuple[str, Any] = (_newest[0], _newest[1])
        """The module that was loaded last when it was looked last."""

    def install(self) -> LocalModules:
        """Look at each local module from now on as soon as it is imported; without this, `look` sees it later."""
        begin()
        install_where_told()
        ImportNotes(self._imported).install()
        return self

    def _imported(self, module: types.ModuleType) -> None:
        """Note a module whose code has just run. One that is reloaded may keep names of before: it is never pristine."""
        name = module.__name__
        file = _local_file(module)
        if file is None or name == "__main__":
            return
        self._sources[name] = _source_digest(file)
        again = name in self._pristine and self._pristine[name][0] is module
        try:
            held = None if again else Walker({}).fingerprint(name, held_by(module)).digest
        except Undigestible:
            held = None
        self._pristine[name] = (module, held)
        note_module(name)

    def look(self) -> None:
        """Note the source of local modules that were loaded since the last look: they stand last in `sys.modules`."""
        last, module = self._newest
        newest = next(reversed(sys.modules))
        is_there = sys.modules.get(last) is module
        if is_there and newest == last:
            return
        loaded = list(reversed(sys.modules))
        if is_there:
            loaded = list(takewhile(lambda name: name != last, loaded))
        self._newest = newest, sys.modules.get(newest)
        for name in loaded:
            if name in _library_names or name in self._library or name in self._sources:
                continue
            module = sys.modules.get(name)
            file = None if id(module) in _libraries else _local_file(module)
            if file is None:
                self._library.add(name)
            else:
                self._sources[name] = _source_digest(file)

    def closure(self, names: set[str]) -> dict[str, str]:
        """The local modules that `names` and, in turn, their imports lead to: dotted name → source file."""
        files: dict[str, str] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            file = self._file(name)
            if file is None or name in files:
                continue
            files[name] = file
            parent = name.rpartition(".")[0]
            waiting += [parent] if parent else []
            waiting += _imports_of(file, name)
        return files

    def _file(self, name: str) -> str | None:
        if name in _library_names or name in self._library or name.partition(".")[0] in (_OURS, "__main__", "builtins"):
            return None
        module = sys.modules.get(name)
        return _local_file(module) if module is not None else _find_file(name)

    def ingredients(self, names: dict[str, str], walker: Walker) -> tuple[dict[str, str], list[Reason]]:
        """For `closure`'s modules: name → digest of source and of what the loaded module holds; and what is in doubt."""
        digests: dict[str, str] = {}
        doubts: list[Reason] = []
        for name, file in sorted(names.items()):
            source = _source_digest(file)
            seen = self._sources.get(name)
            module = sys.modules.get(name)
            if module is not None and seen is not None and seen != source:
                doubts.append(Reason(ReasonCode.EDITED_MODULE, os.path.basename(file)))
            if has_changed(file):
                doubts.append(Reason(ReasonCode.OLDER_MODULE, os.path.basename(file)))
            digests[name] = source + _files_of(name, file)
            if module is not None:
                try:
                    digests[name] += self._held(name, module, walker)
                except Undigestible as error:
                    doubts.append(Reason(ReasonCode.UNTOLD_MODULE, name, error.what))
        return digests, doubts

    def _held(self, name: str, module: types.ModuleType, walker: Walker) -> str:
        """What the module holds, where it is not known to be what the import gave. Raises `Undigestible`."""
        held = walker.fingerprint(name, held_by(module)).digest
        pristine = self._pristine.get(name)
        if pristine is not None and pristine[0] is module and pristine[1] == held:
            return ""
        return f":{held}"


def module_doubts(file: str) -> Doubts | None:
    """What is doubtful anywhere in a local module's source; None where it is not readable Python."""
    facts = _facts(file)
    return None if facts is None else facts.doubts


def _facts(file: str) -> CodeFacts | None:
    """What the source says, as it is now; texts that were read before are not analysed again."""
    try:
        return source_facts(_text_of(file))
    except (OSError, SyntaxError, ValueError):
        return None


def _source_digest(file: str) -> str:
    """Equal for equal meaning; of what is no Python source, the digest of the bytes."""
    facts = _facts(file)
    if facts is not None:
        return facts.digest
    fixed = fixed_source(file)
    if fixed is None:
        return file_digest(archive_of(file) or file)
    return xxhash.xxh3_128_hexdigest(fixed)


def _text_of(file: str) -> str:
    """A module's source, as this kernel imports it."""
    fixed = fixed_source(file)
    return source_text(file) if fixed is None else fixed.decode("utf-8")


def _files_of(name: str, file: str) -> str:
    """Files that the module's texts name, and those it was seen to read while it was imported, with their content."""
    facts = _facts(file)
    found = set(import_reads.get(name, ()))
    folder = os.path.dirname(file)
    for text in facts.names.strings if facts is not None and _calls_when_imported(file) else ():
        if 0 < len(text) < 1000 and "\n" not in text and "\0" not in text:
            for path in (os.path.abspath(text), os.path.join(folder, text)):
                if os.path.isfile(path):
                    found.add(os.path.normpath(path))
    return "".join(f":{_portable(path, folder)}={depended_on(path)}" for path in sorted(found))


def _calls_when_imported(file: str) -> bool:
    """Whether importing the module may do more than define and name things: only then can it read a file."""
    waiting: list[ast.AST] = list(ast.parse(_text_of(file)).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Call, ast.With, ast.For, ast.AsyncWith)):
            return True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return False


def _portable(path: str, folder: str) -> str:
    return xxhash.xxh3_64_hexdigest(os.path.relpath(path, folder).encode("utf-8", "surrogateescape"))


def _local_file(module: object) -> str | None:
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
        spec = find_by_others(part, path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or [])
    origin = spec.origin if spec is not None else None
    if not isinstance(origin, str) or is_library_file(origin):
        return None
    if not os.path.isfile(origin) and fixed_source(origin) is None and archive_of(origin) is None:
        return None
    return os.path.abspath(origin)


def _imports_of(file: str, name: str) -> list[str]:
    facts = _facts(file)
    if facts is None:
        return []
    package = name if os.path.basename(file) == "__init__.py" else name.rpartition(".")[0]
    imported = []
    for dotted in facts.names.imports:
        level = len(dotted) - len(dotted.lstrip("."))
        if not level:
            imported.append(dotted)
            continue
        base = package.split(".")[: len(package.split(".")) - level + 1]
        imported.append(".".join([*base, *filter(None, [dotted.lstrip(".")])]))
    return [item for item in imported if item]
