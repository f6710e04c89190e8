"""Making a kernel end: its cell is interrupted, and what does not stop within the grace is killed."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from jupyter_mlops.execution.kernels.kernel import Kernel
from jupyter_mlops.execution.notebook.outcome import StopReason

logger = logging.getLogger(__name__)

INTERRUPT_AGAIN_SECONDS = 0.4
"""An interrupt that came before the kernel had begun with the cell is lost on it, and said again."""


class Ending:
    """Of one execution: the first reason counts. Lives in the execution's event loop."""

    def __init__(self, grace_seconds: float) -> None:
        self.reason: StopReason | None = None
        self.in_cell = False
        self.has_begun = False
        """Whether the kernel has said that it executes the cell."""
        self.has_answered = False
        """Whether the kernel has said anything at all."""
        self.kernel: Kernel | None = None
        self._grace_seconds = grace_seconds
        self._asked = asyncio.Event()
        self._killing: asyncio.Task[None] | None = None

    def ask(self, reason: StopReason) -> None:
        """Let the execution end for this reason."""
        if self.reason is None:
            logger.warning("%s Stopping the kernel.", reason.message)
            self.reason = reason
            self._asked.set()

    def ask_again(self, reason: StopReason) -> None:
        """Let it end; where it is ending already, at once."""
        if self.reason is None:
            self.ask(reason)
        else:
            self.kill(self.reason)

    def kill(self, reason: StopReason) -> None:
        """Let it end for this reason, without a grace."""
        self.ask(reason)
        if self.kernel is not None and self._killing is None:
            self._killing = asyncio.ensure_future(self.kernel.kill())

    async def enforce(self) -> None:
        """Wait until it is to end, and see to it that it does."""
        await self._asked.wait()
        assert self.kernel is not None
        if not self.has_answered:
            await self.kernel.kill()
            return
        end = asyncio.get_running_loop().time() + self._grace_seconds
        if self.in_cell:
            had_begun = self.has_begun
            await self._interrupt()
            if not had_begun:
                await asyncio.sleep(min(INTERRUPT_AGAIN_SECONDS, self._grace_seconds))
                if self.in_cell:
                    await self._interrupt()
        await asyncio.sleep(end - asyncio.get_running_loop().time())
        await self.kernel.kill()

    async def _interrupt(self) -> None:
        assert self.kernel is not None
        with contextlib.suppress(RuntimeError, ProcessLookupError):  # it has just ended by itself
            await self.kernel.interrupt()
