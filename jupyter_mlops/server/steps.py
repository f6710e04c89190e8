"""`POST status`: the pipeline of the open notebook as its cells stand now. Reads only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from tornado import web

from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.pipeline import PipelineStatus
from jupyter_mlops.errors import InputError
from jupyter_mlops.server.framework.base import MLOpsHandler, Routes, field, may
from jupyter_mlops.server.framework.paths import contents_path


@dataclass(frozen=True)
class _StepsBody:
    """What a body holds: `kernel` is an id, `papermill` what the notebook's metadata hold under this name."""

    path: str
    cells: tuple[Cell, ...]
    kernel: str | None
    papermill: Any


class StatusHandler(MLOpsHandler):
    """It is a POST because cells that are not saved yet come with it, but all it needs is leave to read."""

    most_bytes = 64 << 20

    @web.authenticated
    @may("read")
    async def post(self) -> None:
        """Answer a `PipelineStatus` of `{path, cells, kernel, papermill}`.

        `kernel` is the id of the notebook's kernel, `papermill` what its metadata hold under this name; null or left
        out where there is none.
        """
        asked, digest = await self.on_thread(self._asked)
        kernel = None if asked.kernel is None else self._process_of(asked.kernel)
        self.answer(await self.in_turn(asked.path, (digest, kernel), self._status, asked, kernel))

    def _asked(self) -> tuple[_StepsBody, bytes]:
        """What the body asks, and its digest. Raises `InputError`."""
        body = self.body()
        kernel = None if body.get("kernel") is None else field(body, "kernel", str)
        cells = tuple(_cell(value) for value in field(body, "cells", list))
        asked = _StepsBody(field(body, "path", str), cells, kernel, body.get("papermill"))
        return asked, hashlib.sha256(self.request.body).digest()

    def _process_of(self, kernel_id: str) -> int:
        """The process of a kernel of this server; 0, which no session has, where it has none on this machine."""
        manager: Any = self.kernel_manager
        found = manager.get_kernel(kernel_id) if kernel_id in manager else None
        return getattr(getattr(found, "provisioner", None), "pid", None) or 0

    def _status(self, asked: _StepsBody, kernel: int | None) -> PipelineStatus:
        place = self.projects.place(asked.path)
        from jupyter_mlops.operations.steps.in_view import find_view, maybe_outputs
        from jupyter_mlops.operations.steps.status import pipeline_status

        name = place.name()
        view = find_view(place.store, name, kernel=kernel, outputs=maybe_outputs(place.path, asked.papermill))
        status = pipeline_status(place.store, name, asked.cells, everything=True, view=view)
        if status.source is None:
            return status
        source = place.project / status.source
        return replace(status, source=contents_path(place.served, source) or None)


def _cell(value: Any) -> Cell:
    if not isinstance(value, dict):
        raise InputError("A cell is not an object.", "Send each cell as {index, id, kind, source, tags}.")
    tags = field(value, "tags", list)
    if not all(isinstance(tag, str) for tag in tags):
        raise InputError("A tag of a cell is not a text.", "Send tags as a list of texts.")
    return Cell(
        index=field(value, "index", int),
        id=field(value, "id", str),
        kind=field(value, "kind", str),
        source=field(value, "source", str),
        tags=tuple(tags),
    )


ROUTES: Routes = ((r"/jupyter-mlops/status", StatusHandler),)
