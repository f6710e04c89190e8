"""The sources a run depends on, fixed when it is asked for: the notebook's bytes and the project's own modules."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from jupyter_mlops.analysis.code.facts import cell_facts, source_facts
from jupyter_mlops.analysis.pipeline.cells import all_steps_of, cells_of
from jupyter_mlops.capture.origin.calls import is_library_file
from jupyter_mlops.domain.run import Run
from jupyter_mlops.jobs.queue.request import Request
from jupyter_mlops.store.objects.local import name_of
from jupyter_mlops.store.store import Store


def fix_modules(store: Store, request: Request) -> dict[str, str]:
    """Keep the project's modules that a notebook imports, in turn too: path relative to the project → object name."""
    if request.language != "python":
        return {}
    kept = {}
    for file in sorted(module_files(store.root, request)):
        with contextlib.suppress(OSError):
            kept[store.relative(file)] = store.objects.put(file.read_bytes())
    return kept


def changed_sources(store: Store, run: Run) -> list[str]:
    """Which of a run's sources are others now than when it was asked for, by their paths in the project."""
    fixed = dict(run.options.modules)
    if run.notebook_object is not None:
        fixed[run.notebook] = run.notebook_object
    return [path for path, name in sorted(fixed.items()) if _name_of(store.root / path) != name]


def has_other_modules(run: Run) -> bool:
    """Whether modules of a run were edited between its asking and its execution, so that the stored ones are imported."""
    return not run.options.modules.keys().isdisjoint(run.changed_sources)


def _name_of(path: Path) -> str | None:
    try:
        return name_of(path.read_bytes())
    except OSError:
        return None


def module_files(root: Path, request: Request) -> set[Path]:
    """The files of the project's modules that the notebook of `request` leads to, as far as imports can be read."""
    folder = request.path.parent
    importlib.invalidate_caches()  # this process may live long, and know folders as they were
    # What is imported from: the notebook's folder, and what of the project is on the import path of this process.
    path = [str(folder), *(entry for entry in sys.path if entry and _is_in(root, entry))]
    files: dict[str, Path] = {}
    waiting = list(_notebook_imports(request))
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for dotted, file in _files_of(name, path):
            if dotted not in files and _is_in(root, file) and not is_library_file(str(file)):
                files[dotted] = file
                waiting += _module_imports(file, dotted)
    return set(files.values())


def _notebook_imports(request: Request) -> Iterator[str]:
    for step in all_steps_of(cells_of(request.notebook))[0]:
        with contextlib.suppress(SyntaxError, ValueError):
            yield from (name for name in cell_facts(step.code).names.imports if not name.startswith("."))


def _module_imports(file: Path, dotted: str) -> Iterable[str]:
    try:
        imports = source_facts(file.read_text(encoding="utf-8")).names.imports
    except (OSError, SyntaxError, ValueError):
        return []
    package = dotted.split(".") if file.name == "__init__.py" else dotted.split(".")[:-1]
    imported = []
    for name in imports:
        level = len(name) - len(name.lstrip("."))
        if not level:
            imported.append(name)
        elif level <= len(package):
            imported.append(".".join([*package[: len(package) - level + 1], *filter(None, [name.lstrip(".")])]))
    return imported


def _files_of(name: str, path: list[str]) -> Iterator[tuple[str, Path]]:
    """The source files that importing `name` executes: those of its packages, and its own. Nothing is imported."""
    parts = name.split(".")
    places: list[str] | None = path
    for depth in range(1, len(parts) + 1):
        dotted = ".".join(parts[:depth])
        spec = _find(dotted, places)
        if spec is None:
            return
        if spec.origin is not None and spec.origin.endswith(".py"):
            yield dotted, Path(os.path.abspath(spec.origin))
        if spec.submodule_search_locations is None:
            return
        places = list(spec.submodule_search_locations)


def _find(dotted: str, places: list[str] | None) -> ModuleSpec | None:
    try:
        return PathFinder.find_spec(dotted, places)
    except (ImportError, ValueError, OSError):
        return None


def _is_in(root: Path, path: Path | str) -> bool:
    folder, place = (os.path.normcase(os.path.abspath(each)) for each in (root, path))
    return place == folder or place.startswith(os.path.join(folder, ""))
