"""`GET schedules`: the project's schedules, and whether a scheduler is alive to fire them."""

from __future__ import annotations

from tornado import web

from jupyter_mlops.domain.schedule import SchedulerStatus
from jupyter_mlops.server.framework.answers import ScheduleList
from jupyter_mlops.server.framework.base import MLOpsHandler, Routes, may


class SchedulesHandler(MLOpsHandler):
    """`GET schedules?path=`."""

    @web.authenticated
    @may("read")
    async def get(self) -> None:
        """Answer a `ScheduleList`."""
        self.answer(await self.on_thread(self._list, self.path_argument()))

    def _list(self, path: str) -> ScheduleList:
        place = self.projects.place(path)
        if place.store is None:
            return ScheduleList((), SchedulerStatus(alive=False, beat_at=None, host=None))
        from jupyter_mlops.operations.schedules.schedule import list_schedules

        schedules, scheduler = list_schedules(place.store, place.store.now())
        return ScheduleList(tuple(schedules), scheduler)


ROUTES: Routes = ((r"/jupyter-mlops/schedules", SchedulesHandler),)
