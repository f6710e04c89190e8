"""Warm kernels of one process: it holds the processes that fork them, few and fresh, and opens kernels by their plans."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.execution.kernels.warm.fitness import NotWarm, Wish, lasting, top
from jupyter_mlops.execution.kernels.warm.kernel import WarmKernel
from jupyter_mlops.execution.kernels.warm.parent import ForkListener, Parent, ProcessBase, Refused
from jupyter_mlops.execution.kernels.warm.sharing import Lender
from jupyter_mlops.execution.kernels.warm.wire import packed

if TYPE_CHECKING:
    from jupyter_mlops.execution.kernels.kernel import KernelPlan

MOST = 4
"""How many processes that fork kernels are kept."""
SHARE = 0.25
"""How much of the machine's memory they may hold together."""
START_SECONDS = 60.0


class Pool:
    """Opens warm kernels; may be used from several threads. One that `lends` gives some to other processes of the user."""

    def __init__(self, most: int = MOST, *, lends: bool = False) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._starting: dict[tuple[ProcessBase, frozenset[str]], threading.Lock] = {}
        self._parents: list[Parent] = []
        self._left_out: dict[str, str] = {}
        """Modules that are not loaded ahead, with the reason."""
        self._closed = False
        self._lender = Lender(self) if lends and sys.platform == "linux" else None

    async def open(self, plan: KernelPlan) -> WarmKernel:
        """Fork a kernel. Raises `NotWarm` where that would not be the same as an ordinary one."""
        wish = Wish.of(plan)
        parent = self.ready(wish)
        if parent is None:
            parent = await asyncio.to_thread(self.make, wish)
        ours, theirs = socket.socketpair()
        with theirs:
            kernel = WarmKernel(ours, self.note(wish), parent.language_info)
            self.fork(parent, wish, theirs, ours, kernel)
        return kernel

    def fork(
        self, parent: Parent, wish: Wish, theirs: socket.socket, ours: socket.socket | None, told: ForkListener
    ) -> None:
        """Have `parent` fork a kernel that speaks over `theirs`; what becomes of it, `told` is told.

        Raises `NotWarm`.
        """
        clash = parent.names & _local_names(Path(wish.folder))
        try:
            if clash:
                raise NotWarm(f"files beside the notebook hide modules ({', '.join(sorted(clash))})")
            start = {"folder": wish.folder, "environment": wish.environment, "runner": os.getpid()}
            if ours is not None:
                ours.sendall(packed(start))
            parent.fork(theirs, told, wish.cells, stays=ours is None)
        except OSError as error:
            raise NotWarm(f"the process that forks kernels is gone ({error})") from error

    def note(self, wish: Wish) -> str:
        """What a kernel has to import itself, and why."""
        out = [f"{top(name)}: {self._left_out[top(name)]}" for name in wish.names if top(name) in self._left_out]
        return f"not loaded ahead: {'; '.join(sorted(set(out)))}" if out else ""

    def _wanted(self, wish: Wish) -> list[str]:
        return [name for name in wish.names if top(name) not in self._left_out]

    def ready(self, wish: Wish) -> Parent | None:
        """A process that has at least these imports and is up to date. Raises `NotWarm` once the pool is closed."""
        base, wanted = _base(wish), set(self._wanted(wish))
        with self._lock:
            if self._closed:
                raise NotWarm("the warm kernels of this process were closed")
            for parent in [parent for parent in self._parents if not parent.is_fit()]:
                self._retire(parent)
            fitting = [parent for parent in self._parents if parent.base == base and wanted <= parent.imports]
            if not fitting:
                return None
            parent = min(fitting, key=lambda parent: len(parent.imports))
            parent.used = time.monotonic()
            return parent

    def make(self, wish: Wish) -> Parent:
        """Start a process with these imports, or wait for the one that is just being started. Raises `NotWarm`."""
        base = _base(wish)
        with self._lock:
            lock = self._starting.setdefault((base, frozenset(wish.names)), threading.Lock())
        with lock:
            parent = self.ready(wish)
            while parent is None:
                try:
                    parent = Parent(base, self._wanted(wish), wish.environment, START_SECONDS)
                except Refused as refused:
                    if not refused.name or top(refused.name) in self._left_out:
                        raise NotWarm(refused.message) from None
                    self._left_out[top(refused.name)] = refused.message
                    continue
                with self._lock:
                    self._parents.append(parent)
                    self._bound()
            # Not looked for anew: what changes all the time would have it started again for ever.
            return parent

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

    def pids(self) -> set[int]:
        """The processes that fork kernels; the pool ends them itself."""
        with self._lock:
            return {parent.pid for parent in self._parents}

    def close(self) -> None:
        """End all processes, and the kernels that still run; those of other runners end with their jobs."""
        if self._lender is not None:
            self._lender.close()
        with self._lock:
            self._closed = True
            parents, self._parents = self._parents, []
        for parent in parents:
            parent.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _base(wish: Wish) -> ProcessBase:
    return ProcessBase(wish.command, lasting(wish.environment), _packages())


def _packages() -> tuple[tuple[str, int], ...]:
    """The folders that modules are found in, with the times something in them was added or removed.

    Not the folder we work in: that is the project's, where files come and go.
    """
    folders = []
    here = os.getcwd()
    for path in sys.path:
        if path and path != here:
            try:
                folders.append((path, os.stat(path).st_mtime_ns))
            except OSError:
                continue
    return tuple(folders)


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
