"""The project's modules as they were when a run was asked for: where files changed since, the stored bytes are imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from jupyter_mlops.domain.variables import KernelTask

_sources: dict[str, bytes] = {}
"""Absolute path → the bytes that stand in for the file."""


def install_where_told() -> None:
    """Where this kernel's environment says so, take the modules of its run from the store."""
    task = KernelTask.of_environment(os.environ)
    if not task.has_snapshot:
        return
    from jupyter_mlops.store.store import Store

    with Store.open(Path(task.project), create=False) as store:
        fixed = store.runs.get(task.run_id).options.modules
        install({str(store.root / path): bytes(store.objects.get(name)) for path, name in fixed.items()})


def install(sources: dict[str, bytes]) -> None:
    """Import `sources` (by absolute path) in place of the files, from now on."""
    _sources.clear()
    _sources.update(sources)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, SnapshotFinder)]
    if sources:
        sys.meta_path.insert(0, SnapshotFinder())


def fixed_source(file: str) -> bytes | None:
    """The bytes that stand in for a file; None where it is read as it is."""
    return _sources.get(os.path.abspath(file)) if _sources else None


def has_changed(file: str) -> bool:
    """Whether bytes stand in for a file that is another now."""
    fixed = fixed_source(file)
    if fixed is None:
        return False
    try:
        return Path(file).read_bytes() != fixed
    except OSError:
        return True


class SnapshotFinder:
    """Finds the modules whose bytes are stored, where their files were."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec of a stored module; None for all others."""
        last = name.rpartition(".")[2]
        for folder in sys.path if path is None else path:
            base = os.path.join(os.path.abspath(folder), last)
            for file in (os.path.join(base, "__init__.py"), f"{base}.py"):
                if file in _sources:
                    packages = [base] if file.endswith("__init__.py") else None
                    loader = _Loader(name, file)
                    return spec_from_file_location(name, file, loader=loader, submodule_search_locations=packages)
        return None


class _Loader(SourceFileLoader):
    """Loads stored bytes under the file's own name; no bytecode of the file that is there now is used or written."""

    def get_data(self, path: Any) -> bytes:
        """The stored bytes."""
        found = _sources.get(os.fspath(path))
        if found is None:
            raise OSError(f"no stored bytes of {path}")
        return found

    def path_stats(self, path: object) -> Any:
        """There is no file to speak of."""
        raise OSError(f"{path} is stored")
