"""What the routes answer where it is more than one dataclass of the domain: the same rules, so the same wire."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_mlops.domain.listed import ListedStepRun
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.schedule import SchedulerStatus, ScheduleView


@dataclass(frozen=True)
class RunList:
    """Answer of `GET runs`: newest first. `project` is the contents path of the project's folder, if it has one.

    `older` says whether there are older ones: those before the last number of `runs`.
    """

    runs: tuple[Run, ...] = ()
    project: str | None = None
    older: bool = False


@dataclass(frozen=True)
class RunDetail(Run):
    """Answer of `GET runs/{id}`: the run and its step runs in the order they began.

    `left_out` tells what is not there of the run, as of its `step_runs`, of which there are the last.
    """

    step_runs: tuple[ListedStepRun, ...] = ()


@dataclass(frozen=True)
class OpenedRun:
    """Answer of `POST runs/{id}/open`: the contents path of the notebook made, and the place of the cell to look at."""

    path: str
    cell_index: int


@dataclass(frozen=True)
class ScheduleList:
    """Answer of `GET schedules`."""

    schedules: tuple[ScheduleView, ...]
    scheduler: SchedulerStatus


@dataclass(frozen=True)
class ErrorAnswer:
    """Answer of any route that could not do what was asked: `hint` says what to do next."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True)
class Changed:
    """Data of the event that something in a project changed. What lies in the folder `project` may be affected.

    `project` is a contents path; "" also where the project lies above what is served. `token` differs each time.
    """

    project: str
    token: str
