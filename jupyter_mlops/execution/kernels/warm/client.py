"""Executes cells in a warm kernel: nbclient's rules of what becomes of a message, without its channels."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, cast

from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session
from nbclient.exceptions import CellExecutionComplete, CellTimeoutError, DeadKernelError

from jupyter_mlops.execution.kernels.warm.wire import Frames, date_of, framed, together
from jupyter_mlops.execution.notebook.cell_client import CellClient
from jupyter_mlops.execution.notebook.nodes import Message, NotebookNode, OnOutput


class _Pending:
    """A request that is not answered yet."""

    def __init__(self, on_message: Callable[[Message], object] | None, outputs: bool) -> None:
        self.on_message = on_message
        self.outputs = outputs
        self.reply: dict[str, Any] | None = None
        self.idle = False
        self.done: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def end_when_answered(self) -> None:
        if self.idle and self.reply is not None and not self.done.done():
            self.done.set_result(self.reply)


class _Link(asyncio.Protocol):
    """The runner's end of the connection."""

    def __init__(self) -> None:
        self.frames = Frames()
        self.pending: dict[str, _Pending] = {}
        self.lost = False
        self.on_late: Callable[[dict[str, Any]], None] = lambda message: None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=1 << 26)

    def data_received(self, data: bytes) -> None:
        for message, buffers in self.frames.feed(data):
            pending = self.pending.get(message["parent_header"].get("msg_id"))
            header = message["header"]
            if header["msg_type"] == "stream":
                buffers = together(message["content"], buffers)
            message["msg_type"], message["msg_id"], message["buffers"] = header["msg_type"], header["msg_id"], buffers
            if pending is None or pending.idle:
                self.on_late(message)
            if pending is None:
                continue
            if header["msg_type"].endswith("_reply"):
                pending.reply = message
                pending.end_when_answered()
            elif pending.on_message is not None and not pending.idle:
                header["date"] = date_of(header["date"])
                try:
                    pending.on_message(message)
                except CellExecutionComplete:
                    pending.idle = True
                    pending.end_when_answered()
                except Exception as error:  # noqa: BLE001 - a message of foreign code, of whatever form
                    if not pending.done.done():
                        pending.done.set_exception(error)
            elif header["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                pending.idle = True
                pending.end_when_answered()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        for pending in self.pending.values():
            if not pending.done.done():
                pending.done.set_exception(DeadKernelError("Kernel died"))


@lru_cache(maxsize=1)
def _session() -> Session:
    """What makes messages. It takes milliseconds to be made, and knows nothing of who they are for."""
    return Session()


class WarmClient(CellClient):
    """Executes one cell at a time into its notebook."""

    def __init__(
        self,
        notebook: NotebookNode,
        connection: socket.socket,
        language_info: dict[str, Any],
        on_output: OnOutput,
        *,
        timeout: int | None,
    ) -> None:
        super().__init__(notebook, SimpleNamespace(), on_output, timeout=timeout)
        self.km = None
        self._connection = connection
        self._language_info = language_info
        self._session = _session()
        self._link = _Link()
        self._link.on_late = self.take_late
        # What nbclient's stand-in for the output widget asks for.
        self.kc = SimpleNamespace(
            session=self._session, shell_channel=SimpleNamespace(send=self._send), allow_stdin=False
        )

    async def start(self) -> None:
        """See `CellRunner`: what is asked before the kernel is there waits in the socket."""
        self._connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self._link, sock=self._connection.dup())

    def close(self) -> None:
        if self._link.transport is not None:
            self._link.transport.abort()
            self._connection.setblocking(True)

    def _send(self, message: dict[str, Any]) -> None:
        plain = {key: message[key] for key in ("header", "parent_header", "metadata", "content")}
        data = json.dumps(plain, default=json_default, ensure_ascii=False).encode("utf-8", "surrogatepass")
        assert self._link.transport is not None
        self._link.transport.writelines(framed(data, message.get("buffers", ())))

    async def _ask(
        self,
        kind: str,
        content: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        on_message: Callable[[Message], object] | None = None,
        seconds: float | None = None,
        index: int | None = None,
    ) -> dict[str, Any]:
        """Send a request and wait until it is done; its reply."""
        if self._link.lost or self._link.transport is None:
            raise DeadKernelError("Kernel died")
        message = self._session.msg(kind, content, metadata=metadata)
        number = message["header"]["msg_id"]
        if index is not None:
            self._requests[number] = index
        pending = self._link.pending[number] = _Pending(on_message, on_message is not None)
        try:
            self._send(message)
            if seconds is None:
                return await pending.done
            return await asyncio.wait_for(asyncio.shield(pending.done), seconds)
        finally:
            self._link.pending.pop(number, None)

    async def run_cell(self, index: int) -> None:
        cell = self.nb.cells[index]
        cell.metadata["execution"] = {}
        cell.outputs = []
        self.clear_before_next_output = False
        self.code_cells_executed += 1
        allowed = self.allow_errors or "raises-exception" in cell.metadata.get("tags", [])
        content = {
            "code": cell.source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": not allowed,
        }
        seconds: Any = self._get_timeout(cell)
        try:
            reply = await self._ask(
                "execute_request",
                content,
                self.metadata_of(index),
                lambda message: self.process_message(message, cell, index),
                seconds,
                index,
            )
        except asyncio.TimeoutError:
            raise CellTimeoutError.error_from_timeout_and_cell("Cell execution timed out", seconds, cell) from None
        finally:
            self._end_shown(index)
        ended = date_of(reply["header"]["date"])
        cell.metadata["execution"]["shell.execute_reply"] = ended.isoformat()
        await self._check_raise_for_error(cell, index, reply)

    async def run_silently(self, code: str, expressions: dict[str, Any] | None = None) -> dict[str, Any]:
        content = {
            "code": code,
            "silent": True,
            "store_history": False,
            "user_expressions": expressions or {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        reply: dict[str, Any] = (await self._ask("execute_request", content))["content"]
        return reply

    async def take_what_is_late(self) -> None:
        """See `CellRunner`: it is taken when it comes."""

    async def language_info(self) -> dict[str, Any]:
        """See `CellRunner`: the process that it was forked from has told."""
        return self._language_info
