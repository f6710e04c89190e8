"""`runs`: list them, look at one, ask for one, cancel one."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from tornado import web

from jupyter_mlops.domain.run import Run
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.server.answers import RunDetail, RunList
from jupyter_mlops.server.base import MLOpsHandler, field, may

LIMIT = 50
HIGHEST_LIMIT = 1000


class RunsHandler(MLOpsHandler):
    """`GET runs?path=&limit=` and `POST runs`."""

    @web.authenticated
    @may("read")
    async def get(self) -> None:
        """Answer a `RunList` of the project that `path` lies in."""
        self.answer(await self.on_thread(self._list, self.path_argument(), self._limit()))

    @web.authenticated
    @may("execute")
    async def post(self) -> None:
        """Start `{path, parameters}` as a job and answer its `Run`, which is pending."""
        body = self.body()
        path = field(body, "path", str)
        parameters: dict[str, Any] = field(body, "parameters", dict) if "parameters" in body else {}
        self.answer(await self.on_thread(self._submit, path, parameters), status=201)

    def _limit(self) -> int:
        text = self.get_query_argument("limit", str(LIMIT))
        if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= HIGHEST_LIMIT and len(text) < 9):
            raise InputError(f"The limit '{text}' is not a number from 1 to {HIGHEST_LIMIT}.", "Leave it out for 50.")
        return int(text)

    def _list(self, path: str, limit: int) -> RunList:
        place = self.projects.place(path)
        if place.store is None:
            return RunList()
        return RunList(tuple(place.store.runs.list(limit=limit)), place.project_path)

    def _submit(self, path: str, parameters: dict[str, Any]) -> Run:
        place, store = self.projects.make(path)
        from jupyter_mlops.operations.submit import submit

        return submit(store, place.path, parameters)


class RunHandler(MLOpsHandler):
    """`GET runs/{id or number}?path=`."""

    @web.authenticated
    @may("read")
    async def get(self, name: str) -> None:
        """Answer a `RunDetail`."""
        self.answer(await self.on_thread(self._detail, self.path_argument(), name))

    def _detail(self, path: str, name: str) -> RunDetail:
        place = self.projects.place(path)
        if place.store is None:
            raise UnknownNameError.among("run", name, ())
        run = place.store.runs.get(name)
        step_runs = place.store.steps.runs(run_id=run.id)
        values = {item.name: getattr(run, item.name) for item in fields(run)}
        return RunDetail(**values, step_runs=tuple(reversed(step_runs)))


class CancelHandler(MLOpsHandler):
    """`POST runs/{id or number}/cancel`."""

    @web.authenticated
    @may("execute")
    async def post(self, name: str) -> None:
        """Cancel a run of the project that `{path}` lies in (null: the served folder); answer the `Run` as it is then."""
        body = self.body()
        path = "" if body.get("path") is None else field(body, "path", str)
        self.answer(await self.on_thread(self._cancel, path, name))

    def _cancel(self, path: str, name: str) -> Run:
        place = self.projects.place(path)
        if place.store is None:
            raise UnknownNameError.among("run", name, ())
        from jupyter_mlops.operations.cancel import cancel

        return cancel(place.store, name)
