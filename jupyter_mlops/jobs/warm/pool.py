"""Warm kernels of one process: it holds the processes that fork them, few and fresh, and opens kernels by their plans."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.jobs.warm.fitness import NotWarm, command_of, lasting
from jupyter_mlops.jobs.warm.imports import imports_of
from jupyter_mlops.jobs.warm.kernel import WarmKernel
from jupyter_mlops.jobs.warm.parent import Parent, Refused

if TYPE_CHECKING:
    from jupyter_mlops.jobs.execution import Plan

MOST = 4
"""How many processes that fork kernels are kept."""
SHARE = 0.25
"""How much of the machine's memory they may hold together."""
START_SECONDS = 120.0
NEVER = frozenset(("tensorflow", "jax", "jaxlib", "grpc", "ray", "cupy", "cudf", "pycuda", "faiss"))
"""Libraries that do not outlive a fork: a kernel imports them itself."""


class Pool:
    """Opens warm kernels; may be used from several threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._starting: dict[Any, threading.Lock] = {}
        self._parents: list[Parent] = []
        self._left_out: dict[str, str] = {}
        """Modules that are not loaded ahead, with the reason."""
        self._closed = False

    async def open(self, plan: Plan) -> WarmKernel:
        """Fork a kernel. Raises `NotWarm` where that would not be the same as an ordinary one."""
        command, environment = command_of(plan)
        names = [name for name in imports_of(plan.notebook or {}) if _top(name) not in NEVER]
        base = (command, lasting(environment), _packages())
        parent = self._ready(base, names)
        if parent is None:
            parent = await asyncio.to_thread(self._make, base, names, environment)
        clash = parent.names & _local_names(plan.folder)
        if clash:
            raise NotWarm(f"files beside the notebook hide modules ({', '.join(sorted(clash))})")
        try:
            return parent.fork(plan, environment, self._note(names))
        except OSError as error:
            raise NotWarm(f"the process that forks kernels is gone ({error})") from error

    def _note(self, names: list[str]) -> str:
        out = [f"{_top(name)}: {self._left_out[_top(name)]}" for name in names if _top(name) in self._left_out]
        return f"not loaded ahead: {'; '.join(sorted(set(out)))}" if out else ""

    def _wanted(self, names: list[str]) -> list[str]:
        return [name for name in names if _top(name) not in self._left_out]

    def _ready(self, base: Any, names: list[str]) -> Parent | None:
        """A process that has at least these imports and is up to date."""
        wanted = set(self._wanted(names))
        with self._lock:
            if self._closed:
                raise NotWarm("the warm kernels of this process were closed")
            for parent in [parent for parent in self._parents if not parent.is_fit()]:
                self._retire(parent)
            found = [parent for parent in self._parents if parent.base == base and wanted <= parent.imports]
            if not found:
                return None
            parent = min(found, key=lambda parent: len(parent.imports))
            parent.used = time.monotonic()
            return parent

    def _make(self, base: Any, names: list[str], environment: Mapping[str, str]) -> Parent:
        """Start a process with these imports, or wait for the one that is just being started."""
        with self._lock:
            lock = self._starting.setdefault((base, tuple(sorted(names))), threading.Lock())
        with lock:
            while True:
                parent = self._ready(base, names)
                if parent is not None:
                    return parent
                try:
                    parent = Parent(base, self._wanted(names), environment, START_SECONDS)
                except Refused as refused:
                    if not refused.name or _top(refused.name) in self._left_out:
                        raise NotWarm(refused.message) from None
                    self._left_out[_top(refused.name)] = refused.message
                    continue
                with self._lock:
                    self._parents.append(parent)
                    self._bound()

    def _bound(self) -> None:
        """Let go of those used longest ago."""
        import psutil

        limit = SHARE * psutil.virtual_memory().total
        for parent in sorted(self._parents, key=lambda parent: parent.used)[:-1]:
            if len(self._parents) <= self._most and sum(parent.memory for parent in self._parents) <= limit:
                return
            self._retire(parent)

    def _retire(self, parent: Parent) -> None:
        self._parents.remove(parent)
        parent.retire()

    def close(self) -> None:
        """End all processes, and the kernels that still run."""
        with self._lock:
            self._closed = True
            parents, self._parents = self._parents, []
        for parent in parents:
            parent.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _packages() -> tuple[tuple[str, int], ...]:
    """The folders that modules are found in, with the times something in them was added or removed."""
    found = []
    for path in sys.path:
        if path:
            try:
                found.append((path, os.stat(path).st_mtime_ns))
            except OSError:
                continue
    return tuple(found)


def _local_names(folder: Path) -> set[str]:
    """Names of modules that an import would find in the notebook's folder first."""
    names = set()
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name, dot, end = entry.name.partition(".")
            package = not dot and entry.is_dir() and os.path.exists(f"{entry.path}/__init__.py")
            if package or (dot and end.endswith(("py", "pyc", "so"))):
                names.add(name)
    return names


def _top(name: str) -> str:
    return name.partition(":")[0].partition(".")[0]
