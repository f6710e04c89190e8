"""Tells the browser that a project changed: looks at change tokens twice a second while someone is interested."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.server.framework.answers import Changed
from jupyter_mlops.server.framework.paths import contents_path
from jupyter_mlops.server.framework.projects import Projects

CHANGED = "https://jupyter-mlops.org/events/changed/v1"

SCHEMA: dict[str, Any] = {
    "$id": CHANGED,
    "version": "1",
    "title": "A project changed",
    "description": "The index of a project changed: runs, steps or schedules. Ask the routes for what is new.",
    "type": "object",
    "required": ["project", "token"],
    "additionalProperties": False,
    "properties": {
        "project": {"type": "string", "title": "Contents path of the project's folder"},
        "token": {"type": "string", "title": "Differs after each change"},
    },
}

INTERVAL = 0.5
RECONCILE_EVERY = 6
"""Every so many looks (3 s), and at the first, runs whose process is gone are ended."""

_log = logging.getLogger(__name__)


class ProjectsWatch:
    """The loop. It runs only while a project was asked for in the last minutes."""

    def __init__(self, projects: Projects, emit: Callable[[dict[str, Any]], None], interval: float = INTERVAL) -> None:
        self._projects = projects
        self._emit = emit
        self._interval = interval
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def wake(self) -> None:
        """See to it that the loop runs where there is something to watch. Call it on the event loop."""
        if not self._stopped and self._projects.watched and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End the loop for good."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        look = 0
        while self._projects.watched:
            try:
                await self._look(reconcile=look % RECONCILE_EVERY == 0)
            except Exception:  # noqa: BLE001 - a listener or a file system of others may fail; the next look may not
                _log.warning("Looking for changes failed.", exc_info=True)
            look += 1
            await asyncio.sleep(self._interval)

    async def _look(self, *, reconcile: bool) -> None:
        if reconcile:
            await self._projects.run(self._projects.reconcile)
        for project, token in await self._projects.run(self._projects.changes):
            self._emit(to_wire(Changed(contents_path(self._projects.served(), project), token)))
