"""`POST status`: the pipeline of the open notebook as its cells stand now. Reads only."""

from __future__ import annotations

from typing import Any

from tornado import web

from jupyter_mlops.domain.pipeline import Cell, PipelineStatus
from jupyter_mlops.errors import InputError
from jupyter_mlops.server.base import MLOpsHandler, field, may


class StatusHandler(MLOpsHandler):
    """It is a POST because cells that are not saved yet come with it, but all it needs is leave to read."""

    @web.authenticated
    @may("read")
    async def post(self) -> None:
        """Answer a `PipelineStatus`."""
        body = self.body()
        path = field(body, "path", str)
        cells = tuple(_cell(value) for value in field(body, "cells", list))
        self.answer(await self.on_thread(self._status, path, cells))

    def _status(self, path: str, cells: tuple[Cell, ...]) -> PipelineStatus:
        place = self.projects.place(path)
        from jupyter_mlops.operations.status import pipeline_status

        return pipeline_status(place.store, place.name(), cells)


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
