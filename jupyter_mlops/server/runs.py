"""`runs`: list them, look at one, ask for one, cancel one, resume one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from tornado import web

from jupyter_mlops.domain.brief import IN_DETAIL, LeftOut
from jupyter_mlops.domain.listed import listed_run, shown_step_run, whole_step_run
from jupyter_mlops.domain.run import Run
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.server.framework.answers import OpenedRun, RunDetail, RunList
from jupyter_mlops.server.framework.base import MLOpsHandler, Routes, field, may
from jupyter_mlops.server.framework.paths import contents_path

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

LIMIT = 50
HIGHEST_LIMIT = 1000
STEP_RUNS = 1000
"""So many of a run its detail has, the last; a live session may have any number."""
HIGHEST_NUMBER = 2**31 - 1
"""Of a run, in either database."""


class RunsHandler(MLOpsHandler):
    """`GET runs?path=&limit=&before=` and `POST runs`."""

    @web.authenticated
    @may("read")
    async def get(self) -> None:
        """Answer a `RunList` of the project that `path` lies in: its newest runs, or the newest `before` a number."""
        limit = self._number("limit", HIGHEST_LIMIT, f"Omit it for {LIMIT}.") or LIMIT
        before = self._number("before", HIGHEST_NUMBER, "Omit it for the newest runs.")
        path = self.path_argument()
        self.answer(await self.in_turn(path, (limit, before), self._list, path, limit, before))

    @web.authenticated
    @may("execute")
    async def post(self) -> None:
        """Start `{path, parameters}` as a job and answer its `Run`, which is pending."""
        body = self.body()
        path = field(body, "path", str)
        parameters: dict[str, Any] = field(body, "parameters", dict) if "parameters" in body else {}
        self.answer(listed_run(await self.on_thread(self._submit, path, parameters)), status=201)

    def _number(self, name: str, highest: int, hint: str) -> int | None:
        """A number of the query, None where it is left out. Raises `InputError`."""
        text = self.get_query_argument(name, None)
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) < 11 and 0 < int(text) <= highest):
            raise InputError(f"The {name} '{text[:40]}' is not a number from 1 to {highest}.", hint)
        return int(text)

    def _list(self, path: str, limit: int, before: int | None) -> RunList:
        place = self.projects.place(path)
        if place.store is None:
            return RunList()
        found = place.store.runs.list(limit=limit + 1, before=before)
        return RunList(tuple(found[:limit]), place.project_path, older=len(found) > limit)

    def _submit(self, path: str, parameters: dict[str, Any]) -> Run:
        place, store = self.projects.make(path)
        from jupyter_mlops.operations.runs.submit import submit

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
    """`GET runs/{id or number}?path=&whole=`."""

    @web.authenticated
    @may("read")
    async def get(self, name: str) -> None:
        """Answer a `RunDetail`: what a view of it can show, or with `whole=true` all of it."""
        whole = self.get_query_argument("whole", "false")
        if whole not in ("true", "false"):
            raise InputError(
                f"'{whole[:40]}' is not a value for 'whole': it is true or false.", "Omit it to get what a view shows."
            )
        self.answer(await self.on_thread(self._detail, self.path_argument(), name, whole == "true"))

    def _detail(self, path: str, name: str, whole: bool) -> RunDetail:
        store = self.store_of(path, name)
        run = store.runs.get(name) if whole else store.runs.detail(name)
        if whole:
            step_runs = [whole_step_run(step_run) for step_run in store.steps.runs(run_id=run.id)]
        else:
            listed = store.steps.listed(run_id=run.id, limit=STEP_RUNS, extent=IN_DETAIL)
            step_runs = [shown_step_run(step_run, IN_DETAIL) for step_run in listed]
            more = run.steps_executed + run.steps_reused - len(step_runs)
            if more > 0:
                run = replace(run, left_out={**run.left_out, "step_runs": LeftOut(items=more)})
        values = {item.name: getattr(run, item.name) for item in fields(run)}
        return RunDetail(**values, step_runs=tuple(reversed(step_runs)))


class CancelHandler(_OneRunHandler):
    """`POST runs/{id or number}/cancel`."""

    @web.authenticated
    @may("execute")
    async def post(self, name: str) -> None:
        """Cancel a run of the project that `{path}` lies in (null: the served folder); answer the `Run` as it is then."""
        self.answer(listed_run(await self.on_thread(self._cancel, self.path_in_body(), name)))

    def _cancel(self, path: str, name: str) -> Run:
        store = self.store_of(path, name)
        from jupyter_mlops.operations.runs.cancel import cancel

        return cancel(store, name)


class ResumeHandler(_OneRunHandler):
    """`POST runs/{id or number}/resume`."""

    @web.authenticated
    @may("execute")
    async def post(self, name: str) -> None:
        """Continue a run of the project that `{path}` lies in as a job and answer the new `Run`, which is pending.

        With `{with_edit: true}` it has the notebook as it is now.
        """
        body = self.body()
        with_edit = field(body, "with_edit", bool) if "with_edit" in body else False
        made = await self.on_thread(self._resume, self.path_in_body(), name, with_edit)
        self.answer(listed_run(made), status=201)

    def _resume(self, path: str, name: str, with_edit: bool) -> Run:
        store = self.store_of(path, name)
        from jupyter_mlops.operations.runs.resume import resume_job

        return resume_job(store, name, with_edit=with_edit)


class OpenHandler(_OneRunHandler):
    """`POST runs/{id or number}/open`."""

    @web.authenticated
    @may("execute")
    async def post(self, name: str) -> None:
        """Make a notebook at the cell where a run of the project that `{path}` lies in failed; answer an `OpenedRun`."""
        self.answer(await self.on_thread(self._open, self.path_in_body(), name), status=201)

    def _open(self, path: str, name: str) -> OpenedRun:
        place = self.projects.place(path)
        store = self.store_of(path, name)
        run = store.runs.get(name)
        if place.project_path is None:
            raise InputError(
                f"The notebook of run {run.number} is outside the folder that this server serves.",
                f"In a terminal: jupyter mlops open {run.number}",
            )
        from jupyter_mlops.operations.runs.open import open_run

        opened = open_run(store, run)
        return OpenedRun(contents_path(place.served, opened.path), opened.cell_index)


ROUTES: Routes = (
    (r"/jupyter-mlops/runs", RunsHandler),
    (r"/jupyter-mlops/runs/([^/]+)", RunHandler),
    (r"/jupyter-mlops/runs/([^/]+)/cancel", CancelHandler),
    (r"/jupyter-mlops/runs/([^/]+)/resume", ResumeHandler),
    (r"/jupyter-mlops/runs/([^/]+)/open", OpenHandler),
)
