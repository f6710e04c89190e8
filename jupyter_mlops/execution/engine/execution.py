"""One notebook executed in one kernel, cell by cell, and a true word of how it ended. Knows nothing of the store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from jupyter_mlops.domain import variables
from jupyter_mlops.domain.counted import counted
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import StoreError
from jupyter_mlops.execution.engine.ahead import KernelsAhead
from jupyter_mlops.execution.engine.leftovers import left_behind, named
from jupyter_mlops.execution.engine.memory import MemoryWatch
from jupyter_mlops.execution.engine.stop import Stop, in_event_loop
from jupyter_mlops.execution.engine.termination import Ending
from jupyter_mlops.execution.kernels import opening
from jupyter_mlops.execution.kernels.kernel import DRAIN, PRELUDE, CellRunner, Kernel, KernelPlan, environment_in
from jupyter_mlops.execution.notebook import outcome as outcomes
from jupyter_mlops.execution.notebook.events import (
    CellEnded,
    CellPassed,
    CellStarted,
    ExecutionEvent,
    ExecutionListener,
    ExecutionStarted,
    KernelMessage,
    KernelStarted,
    OutputWritten,
    Warned,
)
from jupyter_mlops.execution.notebook.nodes import Message, NotebookNode, OutputNode
from jupyter_mlops.execution.notebook.outcome import NotebookOutcome
from jupyter_mlops.execution.notebook.output_file import OutputFile, Save
from jupyter_mlops.execution.notebook.overflow import Overflows
from jupyter_mlops.execution.notebook.papermill_metadata import SKIP_TAG, Ledger, is_executed

logger = logging.getLogger(__name__)

GRACE_SECONDS = 1.5
"""How long a kernel may take to stop after it was interrupted, before it is killed."""
STOP_SECONDS = 0.5
"""How long it may then take to end its process in good order: its results are saved by then."""


@dataclass(frozen=True, kw_only=True)
class ExecutionPlan(KernelPlan):
    """What is to be executed, and where. `load` gives the notebook; it is called while the kernel starts."""

    load: Callable[[], Any]
    save: Save | None = None
    save_in_cells: bool = True
    """Whether outputs are saved while their cell still runs."""
    cell_seconds: float | None = None
    """How long a cell may take."""
    run_seconds: float | None = None
    """How long all may take, the kernel's start included."""
    grace_seconds: float = GRACE_SECONDS
    on_environment: Callable[[dict[str, Any] | None], None] | None = None
    """Where given, a Python kernel is asked for its environment, and this is told."""
    memory: int | None = None
    """The most bytes the kernel's process may have, with all it started."""
    stop: Stop | None = None
    """Where given, another thread asks by this to stop."""
    stop_word: Callable[[], str] | None = None
    """Where given, asked every second, in a thread, whether to stop: the word for it, "" to go on. It does not raise."""
    chosen: Callable[[Any], frozenset[int] | None] | None = None
    """Where given, this tells from the loaded notebook which cells are executed; None for all. The others stay pending."""
    beside: KernelsAhead | None = None
    """Where given, the kernels that execute steps before their turn."""
    output_limit: int = sys.maxsize
    """Characters of streams that a cell may show."""
    overflows: Overflows | None = None
    """The files for what is more than that."""
    mark: Callable[[Any, NotebookOutcome], None] | None = None
    """Where given, marks in the notebook, before it is saved for the last time, where it failed."""


class NotebookExecution:
    """Executes an `ExecutionPlan` once."""

    notebook: NotebookNode
    """As far as it came, once it was loaded."""
    _kernel: Kernel
    _ledger: Ledger
    _memory: MemoryWatch

    def __init__(self, plan: ExecutionPlan, listeners: Sequence[ExecutionListener]) -> None:
        self.plan = plan
        self._listeners = listeners
        self._stop = plan.stop or Stop()
        self._file = OutputFile(plan.save and self._save)
        self._client: CellRunner | None = None
        self._ending = Ending(plan.grace_seconds)
        self._ready = False
        self._pid: int | None = None

    def run(self) -> NotebookOutcome:
        """Execute, from a thread with or without a running event loop. The notebook is then `self.notebook`."""
        if not in_event_loop():
            return asyncio.run(self._main())
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(asyncio.run, self._main())
            while True:
                try:
                    return future.result()
                except KeyboardInterrupt:
                    self._stop.ask("SIGINT", "interrupted")

    async def _main(self) -> NotebookOutcome:
        loop = asyncio.get_running_loop()
        with self._stop.heard_by(loop, self._asked):
            if self.plan.run_seconds is not None:
                loop.call_later(self.plan.run_seconds, self._ending.ask, outcomes.run_took_long(self.plan.run_seconds))
            helpers = [asyncio.create_task(self._stop.heed(self.plan.stop_word))] if self.plan.stop_word else []
            self._kernel = self._ending.kernel = await opening.open_kernel(self.plan)
            helpers.append(asyncio.create_task(self._ending.enforce()))
            outcome: NotebookOutcome | None = None
            try:
                self._load()
                helpers.append(asyncio.create_task(self._save_now_and_then()))
                helpers.append(asyncio.create_task(self._memory.watch(self._memory_exceeded)))
                outcome = await self._execute()
            finally:
                for helper in helpers:
                    helper.cancel()
                if self._client is not None:
                    self._client.close()
                if self.plan.beside is not None:
                    await self.plan.beside.close()
                stopping = asyncio.create_task(self._stop_kernel())
                if outcome is None or self._ending.reason is not None:
                    await stopping
            await asyncio.sleep(0)  # the kernel is told to end, and does so while we save
            try:
                return self._save_last(outcome)
            finally:
                await stopping
                self._name_left()

    def _name_left(self) -> None:
        """Tell of processes that cells began and that go on."""
        told = named(left_behind(self._pid, self.plan.environment.get(variables.RUN_ID, "")))
        if told:
            self._warn(
                f"Processes that the notebook started are still running: {told}.",
                "End them in the cell that starts them, or with `kill PID`; they keep their files and connections open.",
            )

    def _load(self) -> None:
        self.notebook = self.plan.load()
        self._ledger = Ledger(self.notebook, lambda: datetime.now(timezone.utc))
        self._ledger.begin()
        if self.plan.overflows is not None:
            self.plan.overflows.begin()
        self._file.save(self.notebook)
        self._tell(ExecutionStarted(self.notebook))
        self._memory = MemoryWatch(self._kernel.pid, self.plan.memory)
        self._pid = self._kernel.pid
        self._tell(KernelStarted(self._kernel.kind, self._kernel.why, self._pid))

    async def _execute(self) -> NotebookOutcome:
        client = self._client = self._kernel.client(self.notebook, self._on_output, cell_seconds=None)
        client.on_message = self._on_message
        client.on_warning = self._warn
        if self.plan.overflows is not None:
            client.show_within(self.plan.output_limit, self.plan.overflows)
        try:
            await client.start()
            self._ending.has_answered = True
            await self._prepare(client)
        except (RuntimeError, OSError) as error:
            # nbclient and jupyter_client say with a bare RuntimeError that a kernel died or kept silent.
            if self._ending.reason is not None:
                return self._ended(None)
            death = None if await self._kernel.is_alive() else self._kernel.death()
            return outcomes.did_not_start(self.plan.kernel_name, error, death)
        self._ready = True
        if self.plan.beside is not None:
            self.plan.beside.begin(self.notebook)
        outcome = await self._cells(client)
        await self._drain(client)
        await client.take_what_is_late()
        client.set_widgets_metadata()
        return outcome

    async def _prepare(self, client: CellRunner) -> None:
        info = await client.language_info()
        self.notebook.metadata["language_info"] = info
        if info.get("name") == "python":
            reply = await client.run_silently(PRELUDE)
            if reply.get("status") != "ok":
                self._warn(
                    f"The kernel cannot load jupyter_mlops ({reply.get('ename')}: {reply.get('evalue')}): "
                    "cells are executed, but no step is recorded or reused.",
                    "Install jupyter-mlops in the environment of the kernel "
                    f"'{self.plan.kernel_name}', or choose another with --kernel.",
                )
            if self.plan.on_environment is not None:
                self.plan.on_environment(await environment_in(client))

    async def _cells(self, client: CellRunner) -> NotebookOutcome:
        chosen = self.plan.chosen(self.notebook) if self.plan.chosen is not None else None
        for index, cell in enumerate(self.notebook.cells):
            if chosen is not None and index not in chosen:
                continue
            if self._ending.reason is not None:
                break
            if not is_executed(cell):
                if cell.cell_type != "code" or SKIP_TAG not in cell.metadata.get("tags", []):
                    self._ledger.passed(index)
                    self._file.touch()
                self._tell(CellPassed(index))
                continue
            if not await self._kernel.is_alive():
                return self._died(None)
            outcome = await self._cell(client, index)
            if outcome is not None:
                return outcome if outcome.error is not None else self._left_early(index, chosen)
        return NotebookOutcome(Status.COMPLETED) if self._ending.reason is None else self._ended(None)

    def _left_early(self, index: int, chosen: Collection[int] | None) -> NotebookOutcome:
        """A cell ended the notebook well: what it left out is told."""
        cells = enumerate(self.notebook.cells)
        below = [at for at, cell in cells if at > index and is_executed(cell) and (chosen is None or at in chosen)]
        if not below:
            return NotebookOutcome(Status.COMPLETED)
        count = counted(len(below), "cell")
        told = f"sys.exit() in cell {index} skipped {count} below it, from cell {below[0]} on"
        self._warn(f"{told}.", "To execute them, remove the call.")
        return NotebookOutcome(Status.COMPLETED, ended_early=told)

    async def _cell(self, client: CellRunner, index: int) -> NotebookOutcome | None:
        """Execute a cell; an outcome where it is the last."""
        self._ledger.cell_started(index)
        self._file.touch()
        self._tell(CellStarted(index))
        beside = self.plan.beside
        if beside is not None:
            await beside.turn(index)
        outcome = await self._run_cell(client, index)
        if beside is not None and outcome is None:
            if beside.is_waited_for(index):
                await self._drain(client)
            beside.ended(index)
        failed = outcome is not None and outcome.status is not Status.COMPLETED
        if outcome is not None and failed:
            outcomes.note_error(self.notebook.cells[index], outcome)
            outcome = outcome.of_cell(self.notebook.cells[index])
        duration = self._ledger.cell_ended(index, failed=failed)
        self._file.touch()
        self._tell(CellEnded(index, failed, duration))
        self._save_if_due()
        return outcome

    async def _run_cell(self, client: CellRunner, index: int) -> NotebookOutcome | None:
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

        seconds, ending = self.plan.cell_seconds, self._ending
        timer = None
        if seconds is not None:
            timer = asyncio.get_running_loop().call_later(seconds, ending.ask, outcomes.step_took_long(seconds))
        ending.in_cell, ending.has_begun = True, False
        outcome: NotebookOutcome | None = None
        try:
            await client.run_cell(index)
        except CellExecutionError as error:
            if error.ename == "SystemExit" and error.evalue in ("", "0", "None"):
                logger.info("Cell %s ended the notebook with sys.exit().", index)
                return NotebookOutcome(Status.COMPLETED)
            outcome = outcomes.raised(index, error.ename, error.evalue)
        except DeadKernelError:
            outcome = self._died(index)
        except CellTimeoutError as error:  # its outputs did not arrive
            outcome = outcomes.raised(index, "CellTimeoutError", str(error).splitlines()[0])
        finally:
            ending.in_cell = False
            if timer is not None:
                timer.cancel()
        if ending.reason is None or (outcome is None and ending.reason.cause != "step_timeout"):
            return outcome
        return self._ended(index)

    def _died(self, index: int | None) -> NotebookOutcome:
        return outcomes.died(index, self._kernel.death(), self._memory.shortage())

    def _ended(self, index: int | None) -> NotebookOutcome:
        assert self._ending.reason is not None
        return self._ending.reason.outcome(index)

    async def _drain(self, client: CellRunner) -> None:
        """Let the kernel finish saving results. It may be dead, or know nothing of us: then there is nothing to do."""
        from nbclient.exceptions import DeadKernelError

        if self.notebook.metadata.get("language_info", {}).get("name") != "python" or not await self._kernel.is_alive():
            return
        with contextlib.suppress(DeadKernelError, asyncio.TimeoutError):
            timeout = self.plan.grace_seconds if self._ending.reason is not None else None
            await asyncio.wait_for(client.run_silently(DRAIN), timeout)

    async def _stop_kernel(self) -> None:
        if self._ending.reason is None:
            await self._kernel.stop(now=not self._ready)
            return
        try:
            await asyncio.wait_for(self._kernel.stop(now=not self._ready), STOP_SECONDS)
        except asyncio.TimeoutError:
            await self._kernel.kill()
            await self._kernel.stop(now=True)

    def _asked(self, word: str) -> None:
        self._ending.ask_again(outcomes.asked(word, self._stop.cause))

    def _memory_exceeded(self, reason: outcomes.StopReason, at_once: bool) -> None:
        (self._ending.kill if at_once else self._ending.ask)(reason)

    async def _save_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if self.plan.save_in_cells or not self._ending.in_cell:
                self._save_if_due()

    def _save(self, notebook: NotebookNode, *, sync: bool = True) -> None:
        if self._client is not None:
            self._client.flush_outputs()
        assert self.plan.save is not None
        self.plan.save(notebook, sync=sync)

    def _save_if_due(self) -> None:
        try:
            self._file.save_if_due(self.notebook)
        except StoreError as error:
            # The last save of all says it again, and then the run fails.
            logger.warning("%s %s", error.message, error.hint)

    def _save_last(self, outcome: NotebookOutcome) -> NotebookOutcome:
        self._ledger.end(failed=outcome.status is not Status.COMPLETED)
        if outcome.cell_failed and self.plan.mark is not None:
            self.plan.mark(self.notebook, outcome)
        try:
            self._file.save(self.notebook, last=True)
        except StoreError as error:
            return outcome.not_saved(error)
        return outcome

    def _on_message(self, index: int, message: Message) -> None:
        self._ending.has_begun = True
        self._tell(KernelMessage(index, message))

    def _on_output(self, output: OutputNode | None) -> None:
        self._file.touch()
        if output is not None:
            self._tell(OutputWritten(output))

    def _warn(self, message: str, hint: str) -> None:
        self._tell(Warned(message, hint))

    def _tell(self, event: ExecutionEvent) -> None:
        for listener in self._listeners:
            listener.on_event(event)
