"""The run that a kernel's steps belong to: the engine's, else a session's own, made with its first step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.pipeline.cells import cells_of
from jupyter_mlops.capture.session.context import KernelContext
from jupyter_mlops.capture.session.project import KernelProject
from jupyter_mlops.capture.session.writing import ResultWriting
from jupyter_mlops.domain.status import Status
from jupyter_mlops.secrets.known import redact
from jupyter_mlops.store.files.notebooks import parse_notebook, read_bytes

if TYPE_CHECKING:
    from jupyter_mlops.capture.results.resume import Resumed
    from jupyter_mlops.capture.results.saver import Saver
    from jupyter_mlops.domain.run import TrackedAt
    from jupyter_mlops.store.store import Store

LIVE = "(no notebook)"


class RunHandle:
    """`tracked_at` is asked where a run that is made in a project is to be tracked."""

    def __init__(self, context: KernelContext, tracked_at: Callable[[Path], TrackedAt]) -> None:
        self._context = context
        self._tracked_at = tracked_at
        self.project = KernelProject(context)
        self.writing = ResultWriting(context, self.project)
        self.begun: str | None = None
        """The run's id; None before the kernel's first step."""
        self._undescribed: str | None = None
        self._resumed: Resumed | None = None

    @property
    def store(self) -> Store:
        """The project's store."""
        return self.project.store

    @property
    def saver(self) -> Saver:
        """The thread that writes records and results."""
        return self.writing.saver

    @property
    def notebook(self) -> str:
        """The notebook as the index names it."""
        context = self._context
        if context.task.notebook:
            return context.task.notebook
        path = context.notebook_path
        return self.store.relative(path) if path is not None else LIVE

    @property
    def id(self) -> str:
        """The run's id; a session's run is made where there is none yet."""
        if self.begun is None:
            self.begun = self._context.task.run_id or self._new_run()
        return self.begun

    @property
    def resumed(self) -> Resumed | None:
        """What the runs that this one continues had finished."""
        resumes = self._context.task.resumes
        if self._context.is_job and resumes and self._resumed is None:
            from jupyter_mlops.capture.results.resume import Resumed

            self._resumed = Resumed(self.store, resumes)
        return self._resumed

    def _new_run(self) -> str:
        from jupyter_mlops.domain.run import Run, RunKind

        store = self.store
        now = store.now()
        made = store.new_id(), 0, RunKind.SESSION, self.notebook, Status.PENDING
        run = Run(*made, tracked_at=self._tracked_at(store.root), created_at=now)
        store.runs.create(run)
        store.runs.start(run.id, now=now)
        self._undescribed = run.id
        return run.id

    def describe(self) -> None:
        """After a cell: have the record of a run that was just made say where it comes from, which takes its time."""
        run_id, self._undescribed = self._undescribed, None
        if run_id is not None:
            self.saver.do(lambda: self._describe(run_id))

    def _describe(self, run_id: str) -> None:
        from jupyter_mlops.store.project.provenance import git_tags, keep_environment

        store, path, namespace = self.store, self._context.notebook_path, self._context.namespace
        known: dict[str, Any] = {
            "tags": git_tags(self._context.start_folder),
            "environment": keep_environment(store.objects),
        }
        if path is not None:
            from jupyter_mlops.analysis.parameters.declared import parameters_of

            data = read_bytes(path)
            known["notebook_object"] = store.objects.put(data)
            declared = parameters_of(cells_of(parse_notebook(data, path.name)))
            known["parameters"] = {
                item.name: redact(namespace[item.name])
                for item in declared
                if isinstance(namespace.get(item.name), (bool, int, float, str))
            }
        store.runs.update(run_id, told_at=store.now(), **known)

    def close(self) -> None:
        """End a session's own run when the kernel ends in good order."""
        if self.project.is_open and self.begun is not None and not self._context.is_job:
            self.writing.drain(60.0)
            self.store.runs.finish(self.begun, Status.COMPLETED, now=self.store.now())
