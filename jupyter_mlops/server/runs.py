"""`runs`: list them, look at one, ask for one, cancel one, resume one."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from tornado import web

from jupyter_mlops.domain.run import Run
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.server.answers import RunDetail, RunList
from jupyter_mlops.server.base import MLOpsHandler, field, may

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

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


class _OneRunHandler(MLOpsHandler):
    """Base of those that are about one run of a project."""

    def path_in_body(self) -> str:
        """The contents path in the body; "" (the served folder) where it is null or left out. Raises `InputError`."""
        body = self.body()
        return "" if body.get("path") is None else field(body, "path", str)

    def store_of(self, path: str, name: str) -> Store:
        """The store that a run of this name can be in. Raises `UnknownNameError` where `path` lies in no project."""
        store = self.projects.place(path).store
        if store is None:
            raise UnknownNameError.among("run", name, ())
        return store


class RunHandler(_OneRunHandler):
    """`GET runs/{id or number}?path=`."""

    @web.authenticated
    @may("read")
    async def get(self, name: str) -> None:
        """Answer a `RunDetail`."""
        self.answer(await self.on_thread(self._detail, self.path_argument(), name))

    def _detail(self, path: str, name: str) -> RunDetail:
        store = self.store_of(path, name)
        run = store.runs.get(name)
        step_runs = store.steps.runs(run_id=run.id)
        values = {item.name: getattr(run, item.name) for item in fields(run)}
        return RunDetail(**values, step_runs=tuple(reversed(step_runs)))


class CancelHandler(_OneRunHandler):
    """`POST runs/{id or number}/cancel`."""

    @web.authenticated
    @may("execute")
    async def post(self, name: str) -> None:
        """Cancel a run of the project that `{path}` lies in (null: the served folder); answer the `Run` as it is then."""
        self.answer(await self.on_thread(self._cancel, self.path_in_body(), name))

    def _cancel(self, path: str, name: str) -> Run:
        store = self.store_of(path, name)
        from jupyter_mlops.operations.cancel import cancel

        return cancel(store, name)


class ResumeHandler(_OneRunHandler):
    """`POST runs/{id or number}/resume`."""

    @web.authenticated
    @may("execute")
    async def post(self, name: str) -> None:
        """Continue a run of the project that `{path}` lies in as a job and answer the new `Run`, which is pending."""
        self.answer(await self.on_thread(self._resume, self.path_in_body(), name), status=201)

    def _resume(self, path: str, name: str) -> Run:
        store = self.store_of(path, name)
        from jupyter_mlops.operations.resume import resume_job

        return resume_job(store, name)
