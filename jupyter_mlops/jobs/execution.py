"""One notebook executed in one kernel, cell by cell, and a true word of how it ended. Knows nothing of the store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from jupyter_mlops.domain.run import RunError
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import StoreError
from jupyter_mlops.jobs import kernel
from jupyter_mlops.jobs.cancel import Stop, on_stop_signal
from jupyter_mlops.jobs.ledger import SKIP_TAG, Ledger, is_executed
from jupyter_mlops.jobs.output import OutputFile, Save

logger = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
"""How long a kernel may take to stop after it was interrupted, before it is killed."""


@dataclass(frozen=True)
class Plan:
    """What is to be executed, and where. `load` gives the notebook; it is called while the kernel starts."""

    load: Callable[[], Any]
    kernel_name: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    save: Save | None = None
    save_in_cells: bool = True
    """Whether outputs are saved while their cell still runs."""
    start_seconds: int = 60
    cell_seconds: int | None = None
    grace_seconds: float = GRACE_SECONDS
    on_environment: Callable[[dict[str, Any] | None], None] | None = None
    """Where given, a Python kernel is asked for its environment, and this is told."""
    on_kernel: Callable[[str, str], None] | None = None
    """Where given, this is told which kind of kernel there is, and why."""
    mode: str = "auto"
    """Which kind of kernel is wanted: auto, warm or ordinary."""
    pool: Any = None
    """The `jobs.warm.Pool` of this process, where it has one."""
    notebook: Any = None
    """The notebook as it was asked for: what it imports, a warm kernel has loaded."""
    same_python: bool = False
    """Whether the kernel is one of the interpreter that runs us."""
    memory: int | None = None
    """The most bytes the kernel's process may have."""
    stop: Stop | None = None
    """Where given, another thread asks by this to stop."""
    chosen: Callable[[Any], frozenset[int] | None] | None = None
    """Where given, this tells from the loaded notebook which cells are executed; None for all. The others stay pending."""


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: completed, failed or canceled; `hint` says what to do about `error`."""

    status: Status
    error: RunError | None = None
    hint: str = ""
    traceback: tuple[str, ...] = ()


class Listener(Protocol):
    """Who is told what happens, while it happens."""

    def started(self, notebook: Any) -> None:
        """The notebook is loaded and its kernel is starting."""

    def cell_started(self, index: int) -> None:
        """A cell is given to the kernel."""

    def cell_ended(self, index: int, failed: bool, duration: float) -> None:
        """A cell that was given to the kernel ended."""

    def passed(self, index: int) -> None:
        """A cell with nothing to execute was reached."""

    def output(self, output: Any) -> None:
        """A cell wrote or displayed something."""

    def warn(self, message: str, hint: str) -> None:
        """Something the user should know; the execution goes on."""


class Execution:
    """Executes a `Plan` once."""

    def __init__(self, plan: Plan, listeners: Sequence[Listener]) -> None:
        self.plan = plan
        self.notebook: Any = None
        self._listeners = listeners
        self._file = OutputFile(plan.save)
        self._ledger: Any = None
        self._client: Any = None
        self._kernel: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_signal: str | None = None
        self._in_cell = False
        self._answered = False
        self._ready = False
        self._stuck = False

    def run(self) -> Outcome:
        """Execute, from a thread with or without a running event loop. The notebook is then `self.notebook`."""
        if not in_event_loop():
            return asyncio.run(self._main())
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(asyncio.run, self._main())
            try:
                return future.result()
            except KeyboardInterrupt:
                if self._loop is not None:
                    self._loop.call_soon_threadsafe(self._stop, "SIGINT")
                return future.result()

    async def _main(self) -> Outcome:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        with on_stop_signal(self._loop, self._stop), (self.plan.stop or Stop()).heard_by(self._loop, self._stop):
            self._kernel = await kernel.open_kernel(self.plan)
            if self.plan.on_kernel is not None:
                self.plan.on_kernel(self._kernel.kind, self._kernel.why)
            helpers = [asyncio.create_task(self._stop_when_asked())]
            try:
                self.notebook = self.plan.load()
                self._ledger = Ledger(self.notebook, lambda: datetime.now(timezone.utc))
                self._ledger.begin()
                self._file.save(self.notebook)
                self._tell("started", self.notebook)
                helpers.append(asyncio.create_task(self._save_now_and_then()))
                outcome = await self._execute()
            finally:
                for helper in helpers:
                    helper.cancel()
                if self._client is not None:
                    self._client.close()
                await self._kernel.stop(now=not self._ready or self._stuck)
            self._ledger.end(failed=outcome.status is not Status.COMPLETED)
            self._file.save(self.notebook)
            return outcome

    async def _execute(self) -> Outcome:
        self._client = self._kernel.client(self.notebook, self._on_output, cell_seconds=self.plan.cell_seconds)
        try:
            await self._client.start()
            self._answered = True
            await self._prepare()
        except (RuntimeError, OSError) as error:
            # nbclient and jupyter_client say with a bare RuntimeError that a kernel died or kept silent.
            if self._stop_signal:
                return self._canceled(None)
            return _failed("kernel_died", f"The kernel '{self.plan.kernel_name}' did not start: {error}.", _SEE_KERNEL)
        self._ready = True
        outcome = await self._cells()
        await self._drain()
        self._client.set_widgets_metadata()
        return outcome

    async def _prepare(self) -> None:
        info = (await self._client.kernel_info()).get("language_info", {})
        self.notebook.metadata["language_info"] = info
        if info.get("name") == "python":
            reply = await self._client.run_silently(kernel.PRELUDE)
            if reply.get("status") != "ok":
                self._tell(
                    "warn",
                    f"The kernel cannot load jupyter_mlops ({reply.get('ename')}: {reply.get('evalue')}): "
                    "cells are executed, but no step is recorded or reused.",
                    "Install jupyter-mlops in the environment of the kernel "
                    f"'{self.plan.kernel_name}', or choose another with --kernel.",
                )
            if self.plan.on_environment is not None:
                self.plan.on_environment(await kernel.environment_in(self._client))

    async def _cells(self) -> Outcome:
        chosen = self.plan.chosen(self.notebook) if self.plan.chosen is not None else None
        for index, cell in enumerate(self.notebook.cells):
            if chosen is not None and index not in chosen:
                continue
            if self._stop_signal:
                return self._canceled(None)
            if not is_executed(cell):
                if cell.cell_type != "code" or SKIP_TAG not in cell.metadata.get("tags", []):
                    self._ledger.passed(index)
                    self._file.touch()
                self._tell("passed", index)
                continue
            if not await self._kernel.is_alive():
                return self._died(None)
            outcome = await self._cell(index)
            if outcome is not None:
                return outcome
        return Outcome(Status.COMPLETED)

    async def _cell(self, index: int) -> Outcome | None:
        """Execute a cell; an outcome where it is the last."""
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

        self._ledger.cell_started(index)
        self._file.touch()
        self._tell("cell_started", index)
        self._in_cell = True
        outcome: Outcome | None
        try:
            await self._client.run_cell(index)
            outcome = None
        except CellExecutionError as error:
            outcome = self._raised(index, error)
        except DeadKernelError:
            outcome = self._canceled(index) if self._stop_signal else self._died(index)
        except CellTimeoutError as error:
            outcome = await self._timed_out(index, str(error).splitlines()[0])
        finally:
            self._in_cell = False
        failed = outcome is not None and outcome.status is not Status.COMPLETED
        if outcome is not None and failed:
            self._note_error(index, outcome)
        duration = self._ledger.cell_ended(index, failed=failed)
        self._file.touch()
        self._tell("cell_ended", index, failed, duration)
        self._file.save_if_due(self.notebook)
        return outcome

    def _raised(self, index: int, error: Any) -> Outcome:
        if error.ename == "SystemExit" and error.evalue in ("", "0", "None"):
            logger.info("Cell %s ended the notebook with sys.exit().", index)
            return Outcome(Status.COMPLETED)
        if self._stop_signal:
            return self._canceled(index)
        message = f"{error.ename}: {error.evalue}" if error.evalue else str(error.ename)
        outcome = _failed("cell_error", message, _SEE_TRACEBACK, index, error.ename, error.evalue)
        return Outcome(outcome.status, outcome.error, outcome.hint, _traceback_of(self.notebook.cells[index]))

    def _died(self, index: int | None) -> Outcome:
        death = self._kernel.death()
        return _failed("kernel_died", death.message, death.hint, index, "DeadKernelError", death.message)

    def _canceled(self, index: int | None) -> Outcome:
        message = f"Canceled ({self._stop_signal})."
        cause = self.plan.stop.cause if self.plan.stop is not None else "canceled"
        return Outcome(Status.CANCELED, RunError(cause, message, cell_index=index, ename="Canceled"), _AGAIN)

    def _note_error(self, index: int, outcome: Outcome) -> None:
        """Where the kernel could not say why the cell failed, the notebook does."""
        from nbformat import v4

        cell = self.notebook.cells[index]
        if outcome.error is None or any(output.output_type == "error" for output in cell.outputs):
            return
        text = f"{outcome.error.message} {outcome.hint}"
        cell.outputs.append(
            v4.new_output("error", ename=outcome.error.ename, evalue=outcome.error.message, traceback=[text])
        )

    async def _timed_out(self, index: int, message: str) -> Outcome:
        """Interrupt the cell, so that what was done before it can still be saved; what does not stop is killed later."""
        self._stuck = True
        await self._kernel.interrupt()
        return _failed("cell_error", message, "Give it more time, or less to do.", index, "CellTimeoutError")

    async def _drain(self) -> None:
        """Let the kernel finish saving results. It may be dead, or know nothing of us: then there is nothing to do."""
        from nbclient.exceptions import DeadKernelError

        if self.notebook.metadata.get("language_info", {}).get("name") != "python":
            return
        with contextlib.suppress(DeadKernelError, asyncio.TimeoutError):
            timeout = self.plan.grace_seconds if self._stuck else None
            await asyncio.wait_for(self._client.run_silently(kernel.DRAIN), timeout)

    def _stop(self, signal_name: str) -> None:
        if self._stop_signal is None:
            logger.warning("%s: stopping the kernel.", signal_name)
            self._stop_signal = signal_name
            self._stopping.set()
        else:
            asyncio.ensure_future(self._kernel.kill())  # noqa: RUF006 - the loop is about to end with the kernel

    async def _stop_when_asked(self) -> None:
        await self._stopping.wait()
        if self._in_cell:
            await self._kernel.interrupt()
        elif not self._answered:
            await self._kernel.kill()
            return
        await asyncio.sleep(self.plan.grace_seconds)
        await self._kernel.kill()

    async def _save_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if self.plan.save_in_cells or not self._in_cell:
                try:
                    self._file.save_if_due(self.notebook)
                except StoreError as error:
                    # The last save of all says it again, and then the run fails.
                    logger.warning("%s %s", error.message, error.hint)

    def _on_output(self, output: Any) -> None:
        self._file.touch()
        if output is not None:
            self._tell("output", output)

    def _tell(self, event: str, *values: Any) -> None:
        for listener in self._listeners:
            getattr(listener, event)(*values)


def in_event_loop() -> bool:
    """Whether this thread runs one already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _failed(
    cause: str, message: str, hint: str, index: int | None = None, ename: str = "", evalue: str = ""
) -> Outcome:
    error = RunError(cause, message, cell_index=index, ename=ename, evalue=evalue)
    return Outcome(Status.FAILED, error, hint)


def _traceback_of(cell: Any) -> tuple[str, ...]:
    for output in cell.outputs:
        if output.output_type == "error":
            return tuple(output.traceback)
    return ()


_AGAIN = "Steps that had finished are kept: run it again, and they are reused."
_SEE_KERNEL = "Try it: jupyter run --kernel NAME, or see what `jupyter kernelspec list` shows for it."
_SEE_TRACEBACK = "The executed notebook holds the whole traceback."
