"""A warm kernel as its runner sees it: messages over a socket pair, its death told by the process that forked it."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import KernelDiedError
from jupyter_mlops.execution.kernels.kernel import KILL, death_by
from jupyter_mlops.execution.kernels.warm.wire import packed
from jupyter_mlops.execution.notebook.nodes import NotebookNode, OnOutput

if TYPE_CHECKING:
    from jupyter_mlops.execution.kernels.kernel import CellRunner

END_SECONDS = 30.0
"""How long a kernel may take to end in good order, as jupyter_client has it for others."""
TOLD_SECONDS = 5.0


class WarmKernel:
    kind = "warm"

    def __init__(self, connection: socket.socket, why: str, language_info: dict[str, Any]) -> None:
        self.why = why
        self.language_info = language_info
        self.connection = connection
        self._send: Callable[[int], None] = lambda number: None
        self._forked = threading.Event()
        self._ended = threading.Event()
        self._pid: int | None = None
        self._code: int | None = None
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def signaled_by(self, send: Callable[[int], None]) -> None:
        """This sends it a signal."""
        self._send = send

    def forked(self, pid: int) -> None:
        """Its process is there."""
        self._pid = pid
        self._forked.set()

    def ended(self, code: int | None) -> None:
        """Its process is gone."""
        self._code = code
        self._ended.set()
        self._forked.set()
        for loop, event in self._waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def left(self) -> None:
        """The process that forked it is gone, and it with that."""
        self.ended(None)

    @property
    def pid(self) -> int | None:
        self._forked.wait(TOLD_SECONDS)
        return self._pid

    def client(self, notebook: NotebookNode, on_output: OnOutput, *, cell_seconds: int | None) -> CellRunner:
        from jupyter_mlops.execution.kernels.warm.client import WarmClient

        return WarmClient(notebook, self.connection, self.language_info, on_output, timeout=cell_seconds)

    async def is_alive(self) -> bool:
        return not self._ended.is_set()

    async def interrupt(self) -> None:
        self._send(signal.SIGINT)

    async def kill(self) -> None:
        self._send(KILL)

    async def stop(self, *, now: bool) -> None:
        if not now and not self._ended.is_set():
            header = {"msg_id": "end", "msg_type": "shutdown_request", "session": "", "username": "", "date": None}
            request = {"header": header, "parent_header": {}, "metadata": {}, "content": {"restart": False}}
            try:
                self.connection.sendall(packed(request))
            except OSError:
                now = True
        if now:
            await self.kill()
        if not await self._end(END_SECONDS):
            await self.kill()
            await self._end(TOLD_SECONDS)
        self.connection.close()

    async def _end(self, seconds: float) -> bool:
        """Wait for its end; False where it takes longer."""
        event = asyncio.Event()
        entry = (asyncio.get_running_loop(), event)
        self._waiting.append(entry)
        try:
            if not self._ended.is_set():
                await asyncio.wait_for(event.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        finally:
            self._waiting.remove(entry)
        return True

    def death(self) -> KernelDiedError:
        self._ended.wait(TOLD_SECONDS)
        return death_by(self._code)
