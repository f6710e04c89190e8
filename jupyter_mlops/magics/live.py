"""The kernel that `%mlops` is called in, as verbs see it: runs cells, binds names, puts a cell below."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jupyter_mlops.capture.kernel.shell import cells_within
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.operations.runs.live import Ended

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_mlops.analysis.pipeline.cells import StepCell
    from jupyter_mlops.capture.session.session import Session


@contextmanager
def _awaiting(shell: InteractiveShell) -> Iterator[None]:
    """Let cells that `await` run while the kernel's own event loop waits for us: in a loop of their own."""
    before = shell.loop_runner
    shell.loop_runner = _in_own_loop
    try:
        yield
    finally:
        shell.loop_runner = before


def _in_own_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        asyncio._set_running_loop(outer)


class LiveKernel:
    """Implements `operations.runs.live.Live` for a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def capture_all(self) -> bool:
        """Whether cells that no one named are steps too."""
        return self._session.policy.capture_all

    @capture_all.setter
    def capture_all(self, value: bool) -> None:
        self._session.policy.capture_all = value

    @property
    def run_id(self) -> str | None:
        """The run that the kernel's steps belong to; None before its first."""
        return self._session.run.begun

    def captured(self) -> Mapping[str, str]:
        """The names bound in this kernel, each with the step or cell that made it."""
        namespace = self._session.context.namespace
        return {name: maker for name, maker in self._session.history.producers.items() if name in namespace}

    @property
    def namespace(self) -> dict[str, Any]:
        """The kernel's names, as its cells see them."""
        return self._session.context.namespace

    def names(self) -> Iterable[str]:
        """The names that stand in the kernel, loaded or not."""
        return {*self._session.context.namespace, *self._session.context.world.pending}

    def next_cell(self, code: str) -> None:
        """Put a new cell below the one that runs."""
        self._session.context.shell.set_next_input(code, replace=False)

    def bind(self, values: Mapping[str, Any]) -> None:
        """Bind names to values, as a cell would."""
        self._session.context.namespace.update(values)

    def attach(self, run: Run) -> tuple[list[str], dict[str, str]]:
        """Bring what a run had made into the kernel."""
        from jupyter_mlops.capture.kernel.attach import attach

        steps = sorted(self._session.run.store.steps.runs(run_id=run.id), key=lambda step: step.position)
        return attach(self._session, steps)

    def execute(self, step: StepCell, *, force: bool) -> Ended:
        """Run a cell as if it were run by hand."""
        session = self._session
        before = self._newest(step)
        shell = session.context.shell
        began = time.perf_counter()
        with session.policy.forcing([step.spec.name] if force else []), cells_within(session), _awaiting(shell):
            result = shell.run_cell(step.cell.source, store_history=True, cell_id=step.cell.id)
        took = time.perf_counter() - began
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            return Ended("failed", took, f"{type(error).__name__}: {error}".splitlines()[0])
        run = self._newest(step)
        if run is None or (before is not None and run.id == before.id):
            return Ended("executed", took)
        return Ended("reused" if run.status is Status.REUSED else "executed", run.duration or took)

    def _newest(self, step: StepCell) -> StepRun | None:
        """The newest run of a step; None where it is a plain cell here, and nothing is recorded."""
        session = self._session
        if not step.spec.named and not session.policy.capture_all:
            return None
        session.run.writing.drain(30.0)
        return next(
            iter(session.run.store.steps.runs(step=step.spec.name, notebook=session.run.notebook, limit=1)), None
        )
