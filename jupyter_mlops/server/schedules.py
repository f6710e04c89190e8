"""`schedules`: list them, look at one, make one, steer one; and start a scheduler to fire them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tornado import web

from jupyter_mlops.domain.listed import listed_run
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.schedule import ScheduleDetail, SchedulerStatus
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.server.framework.answers import ScheduleList
from jupyter_mlops.server.framework.base import MLOpsHandler, Routes, field, may

if TYPE_CHECKING:
    from jupyter_mlops.operations.schedules.making import ScheduleRequest
    from jupyter_mlops.store.store import Store


class SchedulesHandler(MLOpsHandler):
    """`GET schedules?path=` and `POST schedules`."""

    @web.authenticated
    @may("read")
    async def get(self) -> None:
        """Answer a `ScheduleList`."""
        self.answer(await self.on_thread(self._list, self.path_argument()))

    @web.authenticated
    @may("execute")
    async def post(self) -> None:
        """Make a schedule of the notebook `path`, fired by `cron` or `every` (seconds); answer its `ScheduleDetail`.

        Also taken: `timezone`, `parameters` (values), `templates` (texts), `follow`.
        """
        body = self.body()
        self.answer(await self.on_thread(self._add, field(body, "path", str), body), status=201)

    def _list(self, path: str) -> ScheduleList:
        place = self.projects.place(path)
        if place.store is None:
            return ScheduleList((), SchedulerStatus(alive=False, beat_at=None, host=None))
        from jupyter_mlops.operations.schedules.listing import list_schedules

        schedules, scheduler = list_schedules(place.store, place.store.now())
        return ScheduleList(tuple(schedules), scheduler)

    def _add(self, path: str, body: dict[str, Any]) -> ScheduleDetail:
        asked = _request(body)
        place, store = self.projects.make(path)
        from jupyter_mlops.operations.schedules.listing import show_schedule
        from jupyter_mlops.operations.schedules.making import add_schedule

        now = store.now()
        made = add_schedule(store, place.path, asked, now=now)
        return show_schedule(store, made.number, now)


def _request(body: dict[str, Any]) -> ScheduleRequest:
    from jupyter_mlops.operations.schedules.making import ScheduleRequest

    every = body.get("every")
    if every is not None and (isinstance(every, bool) or not isinstance(every, (int, float))):
        raise InputError("The field 'every' is not a number of seconds.", "Send it as a number, such as 900.")
    given: dict[str, Any] = {
        name: field(body, name, kind)
        for name, kind in (("cron", str), ("parameters", dict), ("templates", dict), ("follow", bool))
        if body.get(name) is not None
    }
    zone = field(body, "timezone", str) if body.get("timezone") is not None else None
    return ScheduleRequest(every=every, zone=zone, **given)


class _OneScheduleHandler(MLOpsHandler):
    """Base of those that are about one schedule of a project."""

    def store_of(self, path: str, number: str) -> tuple[Store, int]:
        """The store that a schedule can be in. Raises `UnknownNameError`."""
        store = self.projects.place(path).store
        if store is None or not (number.isascii() and number.isdecimal() and len(number) < 10):
            raise UnknownNameError.among("schedule", number, ())
        return store, int(number)

    def path_in_body(self) -> str:
        """The contents path in the body; "" (the served folder) where it is null or left out. Raises `InputError`."""
        body = self.body()
        return "" if body.get("path") is None else field(body, "path", str)

    def detail(self, store: Store, number: int) -> ScheduleDetail:
        """How a schedule stands now."""
        from jupyter_mlops.operations.schedules.listing import show_schedule

        return show_schedule(store, number, store.now())


class ScheduleHandler(_OneScheduleHandler):
    """`GET schedules/{number}?path=`."""

    @web.authenticated
    @may("read")
    async def get(self, number: str) -> None:
        """Answer a `ScheduleDetail`."""
        self.answer(await self.on_thread(self._show, self.path_argument(), number))

    def _show(self, path: str, name: str) -> ScheduleDetail:
        return self.detail(*self.store_of(path, name))


class _SteerHandler(_OneScheduleHandler):
    """Base of those that change a schedule."""

    @staticmethod
    def steer(store: Store, number: int, *, now: datetime) -> object:
        """Change it."""
        raise NotImplementedError

    @web.authenticated
    @may("execute")
    async def post(self, number: str) -> None:
        """Answer the `ScheduleDetail` as it is then; of a removed one as it was."""
        self.answer(await self.on_thread(self._steer, self.path_in_body(), number))

    def _steer(self, path: str, name: str) -> ScheduleDetail:
        store, number = self.store_of(path, name)
        before = self.detail(store, number)
        self.steer(store, number, now=store.now())
        return self.detail(store, number) if store.schedules.by_id(before.id) else before


class PauseHandler(_SteerHandler):
    """`POST schedules/{number}/pause`."""

    @staticmethod
    def steer(store: Store, number: int, *, now: datetime) -> object:
        """Let it fire no more."""
        from jupyter_mlops.operations.schedules.steering import pause_schedule

        return pause_schedule(store, number, now=now)


class ResumeScheduleHandler(_SteerHandler):
    """`POST schedules/{number}/resume`."""

    @staticmethod
    def steer(store: Store, number: int, *, now: datetime) -> object:
        """Let it fire again."""
        from jupyter_mlops.operations.schedules.steering import resume_schedule

        return resume_schedule(store, number, now=now)


class RemoveHandler(_SteerHandler):
    """`POST schedules/{number}/remove`."""

    @staticmethod
    def steer(store: Store, number: int, *, now: datetime) -> object:
        """Remove it."""
        from jupyter_mlops.operations.schedules.steering import remove_schedule

        return remove_schedule(store, number, now=now)


class RunNowHandler(_OneScheduleHandler):
    """`POST schedules/{number}/run-now`."""

    @web.authenticated
    @may("execute")
    async def post(self, number: str) -> None:
        """Put a run of the schedule into the queue; answer the `Run`, which is pending."""
        self.answer(listed_run(await self.on_thread(self._run, self.path_in_body(), number)), status=201)

    def _run(self, path: str, name: str) -> Run:
        from jupyter_mlops.operations.schedules.steering import run_now

        store, number = self.store_of(path, name)
        return run_now(store, number, now=store.now())


class SchedulerHandler(_OneScheduleHandler):
    """`POST scheduler/start`."""

    @web.authenticated
    @may("execute")
    async def post(self) -> None:
        """Start a scheduler of the project that `{path}` lies in, where none is alive; answer its `SchedulerStatus`."""
        self.answer(await self.on_thread(self._start, self.path_in_body()))

    def _start(self, path: str) -> SchedulerStatus:
        from jupyter_mlops.jobs.scheduler.starting import ensure_scheduler

        store = self.projects.place(path).store
        if store is None:
            raise InputError("There is no project here.", "Open a notebook of a project, or add a schedule first.")
        return ensure_scheduler(store)


ROUTES: Routes = (
    (r"/jupyter-mlops/schedules", SchedulesHandler),
    (r"/jupyter-mlops/schedules/([^/]+)", ScheduleHandler),
    (r"/jupyter-mlops/schedules/([^/]+)/pause", PauseHandler),
    (r"/jupyter-mlops/schedules/([^/]+)/resume", ResumeScheduleHandler),
    (r"/jupyter-mlops/schedules/([^/]+)/remove", RemoveHandler),
    (r"/jupyter-mlops/schedules/([^/]+)/run-now", RunNowHandler),
    (r"/jupyter-mlops/scheduler/start", SchedulerHandler),
)
