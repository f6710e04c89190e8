"""Executes steps of a run before their turn, in kernels beside the run's own: `--workers N`.

A kernel beside gets what the steps above have made from the store, executes a step and puts its result there. When the
step's turn comes, the run's own kernel finds that result as it finds any: by key and conditions. So the run is that of one
kernel, whatever was done beside it; what does not hold is executed again, in its turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
from collections.abc import Callable

from jupyter_mlops.analysis.pipeline.ahead import Ahead, ahead_of_turn
from jupyter_mlops.analysis.pipeline.cells import StepCell, all_steps_of, cells_of
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.execution.kernels import opening
from jupyter_mlops.execution.kernels.kernel import DRAIN, PRELUDE, CellRunner, Kernel, KernelPlan
from jupyter_mlops.execution.notebook.nodes import NotebookNode

logger = logging.getLogger(__name__)

TAKE = "__import__('jupyter_mlops.capture.kernel.attach', fromlist=['_']).take({ids!r})"
Results = Callable[[], dict[str, str]]
"""Gives for each step of the run that has succeeded, by name, the id of its step run."""


class KernelsAhead:
    """The kernels beside one run. All methods belong to the run's event loop."""

    def __init__(self, kernels: int, plan: KernelPlan, results: Results, forget: Callable[[str], None]) -> None:
        self._results = results
        self._forget = forget
        self._free = [_Worker(plan) for _ in range(kernels)]
        self._steps: list[StepCell] = []
        self._ahead: dict[int, Ahead] = {}
        self._place_of: dict[int, int] = {}
        self._done: set[int] = set()
        self._begun: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = -1

    def begin(self, notebook: NotebookNode) -> None:
        """Plan the notebook that is about to be executed."""
        steps, _ = all_steps_of(cells_of(notebook))
        self._steps = list(steps)
        self._ahead = ahead_of_turn(steps)
        self._place_of = {step.cell.index: place for place, step in enumerate(steps)}
        if not self._ahead:
            self._free.clear()
        for worker in self._free:
            worker.begin(notebook)

    async def turn(self, index: int) -> None:
        """The cell at `index` is next in the run's own kernel: waits where it is being executed beside it."""
        place = self._place_of.get(index)
        if place is None:
            return
        self._turn = place
        task = self._begun.get(place)
        if task is not None:
            await asyncio.wait([task])

    def is_waited_for(self, index: int) -> bool:
        """Whether steps to be executed ahead need the result of the cell at `index`."""
        place = self._place_of.get(index)
        return any(place in step.needs for step in self._ahead.values() if step.place not in self._begun)

    def ended(self, index: int) -> None:
        """The cell at `index` has ended well in the run's own kernel, and its result is stored."""
        place = self._place_of.get(index)
        if place is not None:
            self._done.add(place)
            self._give_out()

    async def close(self) -> None:
        """End all kernels; what they were doing is dropped."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for worker in self._free:
            await worker.stop()

    def _give_out(self) -> None:
        """Let idle kernels begin with what can be executed now, in notebook order."""
        for place, step in sorted(self._ahead.items()):
            if not self._free:
                return
            # The next one is left to the run's own kernel, which is about to come to it.
            if place > self._turn + 1 and place not in self._begun and step.needs <= self._done:
                worker = self._free.pop(0)
                task = asyncio.ensure_future(self._execute(worker, place))
                self._begun[place] = task
                self._tasks.add(task)

    async def _execute(self, worker: _Worker, place: int) -> None:
        alive = True
        try:
            known = self._results()
            above = [step.spec.name for step in self._steps[:place]]
            ids = [known[name] for name in above if name in known]
            alive = await worker.execute(self._steps[place].cell.index, place, ids)
            name = self._steps[place].spec.name
            if alive and name in self._results():
                self._done.add(place)
            if not alive:
                self._forget(name)  # its record is made in its turn
        except asyncio.CancelledError:
            await worker.stop()
            raise
        except (MLOpsError, RuntimeError, OSError) as error:
            # Only the time is lost: the step is executed in its turn.
            logger.info("Step '%s' was not executed ahead of its turn: %s", self._steps[place].spec.name, error)
            alive = False
        if alive:
            self._free.append(worker)
            self._give_out()
        else:
            await worker.stop()


class _Worker:
    """One kernel beside the run's own, started when the run begins."""

    notebook: NotebookNode
    """Its own copy, once it begins."""

    def __init__(self, plan: KernelPlan) -> None:
        self._plan = plan
        self._kernel: Kernel | None = None
        self._client: CellRunner | None = None
        self._last = -1
        """The furthest place executed here: what is above it has to be put in place anew before a step above it."""
        self._taken: set[str] = set()
        self._starting: asyncio.Task[CellRunner] | None = None

    def begin(self, notebook: NotebookNode) -> None:
        """Start the kernel, while the run's own executes its first cells."""
        self.notebook = copy.deepcopy(notebook)
        self._starting = asyncio.ensure_future(self._start())

    async def execute(self, index: int, place: int, ids: list[str]) -> bool:
        """Execute the cell at `index` on what the step runs `ids` made; False where the kernel is of no more use."""
        assert self._starting is not None
        client = await asyncio.shield(self._starting)
        if place < self._last:
            self._taken.clear()
        missing = [item for item in ids if item not in self._taken]
        if missing:
            reply = await client.run_silently(TAKE.format(ids=missing))
            if reply.get("status") != "ok":
                raise RuntimeError(f"{reply.get('ename')}: {reply.get('evalue')}")
        self._taken.update(ids)
        self._last = max(place, self._last)
        failed = await self._run(client, index)
        await client.run_silently(DRAIN)
        return not failed

    @staticmethod
    async def _run(client: CellRunner, index: int) -> bool:
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

        try:
            await client.run_cell(index)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            logger.info(
                "Cell %s failed ahead of its turn, and is executed again in its turn: %s", index, type(error).__name__
            )
            return True
        return False

    async def _start(self) -> CellRunner:
        self._kernel = await opening.open_kernel(self._plan)
        client = self._client = self._kernel.client(self.notebook, lambda output: None, cell_seconds=None)
        await client.start()
        reply = await client.run_silently(PRELUDE)
        if reply.get("status") != "ok":
            raise RuntimeError(f"{reply.get('ename')}: {reply.get('evalue')}")
        return client

    async def stop(self) -> None:
        """End the kernel."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        if self._kernel is None:
            return
        held, self._kernel = self._kernel, None
        if self._client is not None:
            self._client.close()
        with contextlib.suppress(RuntimeError, OSError):
            await held.stop(now=True)
