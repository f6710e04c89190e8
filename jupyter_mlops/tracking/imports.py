"""Calls back when a module has been imported. Installed only while someone waits for it; never changes the import itself."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

log = logging.getLogger(__name__)


class ImportWatch:
    """A finder that finds nothing itself: it lets the others find, and hears when the module's code has run.

    A module that fails halfway raises as it would without us, and is waited for again.
    """

    def __init__(self, name: str, imported: Callable[[], None]) -> None:
        self._name = name
        self._imported = imported
        self._asking: set[int] = set()
        """Threads in which the other finders are asked: some of them ask all finders in turn."""

    def install(self) -> None:
        """Begin to wait."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Wait no more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Part of the import protocol: what the other finders say, with its loader listened to."""
        identity = threading.get_ident()
        if fullname != self._name or identity in self._asking:
            return None
        self._asking.add(identity)
        try:
            spec = self._by_others(fullname, path, target)
        finally:
            self._asking.discard(identity)
        if spec is not None:
            self._listen(spec.loader)
        return spec

    def _by_others(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec: ModuleSpec | None = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
        return None

    def _listen(self, loader: Any) -> None:
        if isinstance(loader, type) or not hasattr(loader, "exec_module"):
            return
        execute = loader.exec_module
        others = vars(loader).get("exec_module")

        def exec_module(module: ModuleType) -> None:
            vars(loader).pop("exec_module", None)
            if others is not None:  # who listens too takes its own away itself
                loader.exec_module = others
            execute(module)
            self._tell()

        try:
            loader.exec_module = exec_module
        except AttributeError:
            log.debug("the loader of %s cannot be listened to", self._name)

    def _tell(self) -> None:
        try:
            self._imported()
        except Exception:
            log.exception("after the import of %s", self._name)
