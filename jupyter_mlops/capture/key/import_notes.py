"""What modules are right after their import: noted by a finder that looks at each as soon as its code has run.

Local modules are noted one by one; of an installed package all that one import statement of the notebook, or of a local
module, has loaded: a cell may import a package and configure it at once.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from typing import Any

from jupyter_mlops.capture.libraries.snapshots import note_imported
from jupyter_mlops.capture.libraries.warned import forget_past
from jupyter_mlops.capture.origin.calls import is_library_file
from jupyter_mlops.capture.origin.imports import asked_by_library


class ImportNotes:
    """A finder that finds nothing by itself: it asks the others, and has the modules' loaders tell when they are done.

    The loader stays the object it is; only its `exec_module` is another until the module has been executed.
    """

    def __init__(self, note: Callable[[types.ModuleType], None]) -> None:
        self._settled = note
        self._begun = 0
        self._executed: list[types.ModuleType] = []

    def install(self) -> None:
        """Go in front of all finders, instead of one that was there before."""
        self.remove()
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Leave no finder of this kind."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, ImportNotes)]

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """As the other finders say."""
        spec = find_by_others(name, path, target)
        if spec is None or not isinstance(spec.origin, str):
            return spec
        if not _is_installed(spec.origin):
            _tell_when_done(spec.loader, self._note, self._begin)
        elif spec.origin not in ("built-in", "frozen") and not asked_by_library():
            _tell_when_done(spec.loader, _package_imported)
        return spec

    def _begin(self) -> None:
        self._begun += 1

    def _note(self, module: types.ModuleType | None) -> None:
        """A module's code has run (None: it failed). While others that import it run, they may change it: all are noted
        together."""
        self._begun -= 1
        if module is not None:
            self._executed.append(module)
        if self._begun == 0:
            settled, self._executed = self._executed, []
            for each in settled:
                self._settled(each)


def _package_imported(module: types.ModuleType | None) -> None:
    if module is None:
        return
    note_imported(module.__name__.partition(".")[0])
    forget_past()


def find_by_others(name: str, path: Sequence[str] | None, target: types.ModuleType | None = None) -> ModuleSpec | None:
    """Where a module would be imported from; nothing is imported for it."""
    for finder in list(sys.meta_path):
        find = None if isinstance(finder, ImportNotes) else getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = None if find is None else find(name, path, target)
        if spec is not None:
            return spec
    return None


def _is_installed(origin: str) -> bool:
    return origin in ("built-in", "frozen") or is_library_file(origin)


def _tell_when_done(
    loader: Any, note: Callable[[types.ModuleType | None], None], begin: Callable[[], None] = lambda: None
) -> None:
    execute = getattr(loader, "exec_module", None)
    if (
        execute is None
        or isinstance(loader, type)
        or "exec_module" in getattr(loader, "__dict__", {"exec_module": None})
    ):
        return

    def done(module: types.ModuleType) -> None:
        del loader.exec_module
        begin()
        whole = False
        try:
            execute(module)
            whole = True
        finally:
            note(module if whole else None)

    # Python leaves its own frames out of a traceback by these names: one of ours should not appear either.
    done.__code__ = done.__code__.replace(
        co_filename="<frozen importlib._bootstrap>", co_name="_call_with_frames_removed"
    )
    loader.exec_module = done
