"""The projects that requests ask for: their stores, opened once each and used on threads of our own, and what changed.

Reading makes nothing: a folder that holds no project has no store here until a run is asked for in it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from jupyter_mlops.errors import MLOpsError, UnknownNameError
from jupyter_mlops.server.framework.paths import contents_path, file_at, served_folder
from jupyter_mlops.store import FOLDER, open_store, place_file, project_for
from jupyter_mlops.store.backup.mark import traces

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

P = ParamSpec("P")
T = TypeVar("T")

REMEMBERED = 600.0
"""Seconds after the last request for which a project is watched and its store kept open."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ContentsPlace:
    """Where a contents path leads: a file or folder, its project (or where one would be made), its store if any."""

    path: Path
    project: Path
    served: Path
    store: Store | None

    @property
    def project_path(self) -> str | None:
        """The contents path of the project's folder; None without a project, or where it lies above what is served."""
        if self.store is None or not self.project.is_relative_to(self.served):
            return None
        return contents_path(self.served, self.project)

    def name(self) -> str:
        """The notebook as the index names it: relative to the project."""
        return self.path.relative_to(self.project).as_posix()


@dataclass(frozen=True)
class _AskedProject:
    """When a project was last asked for (monotonic seconds) and how its index looked when that was last told."""

    at: float
    token: str


class Projects:
    """All methods but `run` and `shut_down` block: call them through `run`."""

    def __init__(self, contents_manager: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._contents_manager = contents_manager
        self._clock = clock
        self._lock = threading.RLock()
        self._stores: dict[Path, tuple[Store, tuple[int, int]]] = {}
        self._asked: dict[Path, _AskedProject] = {}
        self._unwilling: set[Path] = set()
        self._threads: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(*args, **kwargs)` on a thread, so that a busy index never holds up the Jupyter server."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="jupyter-mlops")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))

    def place(self, path: str) -> ContentsPlace:
        """Where a contents path leads. Its project is watched from now on. Raises `UnknownNameError` if it leads out.

        The project may lie above the served folder, as where Jupyter was started in a folder of a repository: it is the
        one that the notebook's own kernel writes to.
        """
        served = self.served()
        file = file_at(served, path, allow_hidden=bool(getattr(self._contents_manager, "allow_hidden", False)))
        project = project_for(file)
        if project.is_dir():
            with self._lock:
                before = self._asked.get(project)
                token = before.token if before is not None else self._token(project)
                self._asked[project] = _AskedProject(self._clock(), token)
        return ContentsPlace(file, project, served, self._store(project))

    def make(self, path: str) -> tuple[ContentsPlace, Store]:
        """As `place`, for a notebook that is there, with the project made where there is none."""
        place = self.place(path)
        if not place.path.is_file():
            neighbours = [contents_path(place.served, other) for other in place.path.parent.glob("*.ipynb")]
            raise UnknownNameError.among("notebook", path, neighbours)
        if place.store is None:
            open_store(place.path).close()
            place = replace(place, store=self._store(place.project))
        if place.store is None:
            raise UnknownNameError(f"The project at '{place.project}' is gone.", "Reload the page, then try again.")
        return place, place.store

    def served(self) -> Path:
        """The folder that Jupyter serves."""
        return served_folder(self._contents_manager)

    @property
    def watched(self) -> bool:
        """Whether any project was asked for lately."""
        return bool(self._asked)

    def changes(self) -> list[tuple[Path, str]]:
        """The projects that changed since this was last asked, with their new tokens. Forgets those no one asks for."""
        with self._lock:
            for project, asked in list(self._asked.items()):
                if self._clock() - asked.at > REMEMBERED:
                    del self._asked[project]
                    self._drop(project)
            changed = []
            for project, asked in self._asked.items():
                token = self._token(project)
                if token != asked.token:
                    self._asked[project] = replace(asked, token=token)
                    changed.append((project, token))
        return changed

    def reconcile(self) -> None:
        """End the runs whose process is gone, in all watched projects."""
        for project in list(self._asked):
            try:
                store = self._store(project)
                if store is not None:
                    _reconcile(store)
            except MLOpsError as error:
                if project not in self._unwilling:
                    self._unwilling.add(project)
                    _log.warning("Runs of %s cannot be checked: %s %s", project, error.message, error.hint)

    def shut_down(self) -> None:
        """Close all stores and end the threads."""
        with self._lock:
            for project in list(self._stores):
                self._drop(project)
            self._asked.clear()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _token(self, project: Path) -> str:
        try:
            store = self._store(project)
        except MLOpsError as error:
            return f"error: {error.message}"
        return "" if store is None else store.index.change_token()

    def _store(self, project: Path) -> Store | None:
        """The store of a project that has an index. Nothing is made, also no part of `.mlops/` that is missing."""
        with self._lock:
            known = self._stores.get(project)
            try:
                status = place_file(project / FOLDER).stat()
            except OSError:
                self._drop(project)
                if not any(traces(project / FOLDER)):
                    return None
                status = (project / FOLDER).stat()  # opening it says that its index is lost
            if known is not None and known[1] == (status.st_dev, status.st_ino):
                return known[0]
            self._drop(project)
            from jupyter_mlops.store.store import Store

            store = Store(project, reading=True)
            self._stores[project] = (store, (status.st_dev, status.st_ino))
            return store

    def _drop(self, project: Path) -> None:
        known = self._stores.pop(project, None)
        if known is not None:
            known[0].close()


def _reconcile(store: Store) -> None:
    from jupyter_mlops.jobs.recovery.reconcile import reconcile
    from jupyter_mlops.tracking import wake

    if store.index.refusal is None and reconcile(store, now=store.now()):
        wake(store.root)
