"""nbclient's notebook client with what a job needs besides: request metadata, tidy streams, word of each output."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from nbclient.client import NotebookClient
from nbclient.exceptions import CellExecutionComplete, DeadKernelError
from traitlets import Type

from jupyter_mlops.analysis.pipeline.cells import all_steps_of, cells_of, tags_of
from jupyter_mlops.capture.observe.display import METADATA, NOTE, WARNING
from jupyter_mlops.execution.notebook.nodes import CellNode, Message, NotebookNode, OnOutput, OutputNode
from jupyter_mlops.execution.notebook.overflow import Overflows
from jupyter_mlops.execution.notebook.streams import Shown
from jupyter_mlops.store.files.last_words import newest_first

IOPUB_SECONDS = 60
"""How long outputs may lag behind a cell's reply (nbclient's 4 s fail on megabytes of output)."""
ALIVE_SECONDS = 0.1
"""Between two looks whether the kernel is still there while it owes an answer."""
LOOK_SECONDS = 0.2
"""Between two looks whether a message is there whose coming went unnoticed."""
LAST_WORDS_SECONDS = 0.2
"""How long what a kernel wrote before its death may take to arrive."""
ARRIVED = 1 << 13
"""How many of the newest messages are known to have come: more than a kernel keeps."""
_LATE = ("stream", "display_data", "update_display_data")
"""What is taken of a cell that has ended."""
_DISPLAYS = ("display_data", "execute_result", "update_display_data")
_JSON = re.compile(r"application/(.*\+)?json$")


def fit(message: Message) -> None:
    """Put as JSON text what a display gives under a MIME type of texts and is none: no notebook could hold it as it is."""
    data = message["content"].get("data")
    if not isinstance(data, dict) or message["msg_type"] not in _DISPLAYS:
        return
    for mime, value in data.items():
        lines = value if isinstance(value, list) else [value]
        if not all(isinstance(line, str) for line in lines) and not _JSON.match(mime):
            data[mime] = json.dumps(value, ensure_ascii=False)


class AttentiveChannel(AsyncZMQSocketChannel):
    """Looks now and then whether a message is there.

    Whoever sends on the same socket, as nbclient does for widgets, may take away the word that one has come; a wait
    without end would then be one.
    """

    async def get_msg(  # type: ignore[override]
        self, timeout: float | None = None
    ) -> dict[str, Any]:
        """As in the base class."""
        while timeout is None:
            with contextlib.suppress(Empty):
                return await super().get_msg(LOOK_SECONDS)
        return await super().get_msg(timeout)


class TaggedKernelClient(AsyncKernelClient):
    """Sends `request_metadata` with each request to execute."""

    shell_channel_class = Type(AttentiveChannel)
    iopub_channel_class = Type(AttentiveChannel)
    request_metadata: dict[str, Any] | None = None
    last_request = ""

    def execute(
        self,
        code: str,
        silent: bool = False,
        store_history: bool = True,
        user_expressions: dict[str, Any] | None = None,
        allow_stdin: bool | None = None,
        stop_on_error: bool = True,
    ) -> str:
        """As in the base class, which has no word for metadata."""
        content = {
            "code": code,
            "silent": silent,
            "store_history": store_history,
            "user_expressions": user_expressions or {},
            "allow_stdin": self.allow_stdin if allow_stdin is None else allow_stdin,
            "stop_on_error": stop_on_error,
        }
        message = self.session.msg("execute_request", content, metadata=self.request_metadata)
        self.shell_channel.send(message)
        self.last_request = str(message["header"]["msg_id"])
        return self.last_request


class CellClient(NotebookClient):
    """Executes one cell at a time into its notebook; which cells, and what their end means, is the caller's matter."""

    clear_before_next_output = False
    on_output: OnOutput
    on_message: Callable[[int, dict[str, Any]], None] | None = None
    """Where given, told of each message that says something of a cell, before it changes the notebook."""
    on_warning: Callable[[str, str], None] | None = None
    """Where given, told of what the kernel says that the user should know, and how to mend it."""
    words: Path | None = None
    """Where the kernel keeps its newest messages, for when it is killed."""
    kc: Any

    def __init__(self, notebook: NotebookNode, manager: Any, on_output: OnOutput, **options: Any) -> None:
        manager.client_factory = TaggedKernelClient
        super().__init__(notebook, km=manager, iopub_timeout=IOPUB_SECONDS, raise_on_iopub_timeout=True, **options)
        self.on_output = on_output
        self._names: dict[int, str] | None = None
        self._limit, self._overflows = sys.maxsize, Overflows(Path())
        self._shown: dict[int, Shown] = {}
        self._requests: dict[str, int] = {}
        """The cells that were executed, by the requests."""
        self._arrived: deque[str] = deque(maxlen=ARRIVED)

    def show_within(self, limit: int, overflows: Overflows) -> None:
        """Show no more of a cell's streams than `limit` characters, and have the rest in a file of `overflows`."""
        self._limit, self._overflows = limit, overflows

    def flush_outputs(self) -> None:
        """Let the notebook hold all that came: pieces of a stream are put together when someone looks."""
        for shown in self._shown.values():
            shown.flush_outputs()

    def _end_shown(self, index: int) -> None:
        if index in self._shown:
            self._shown[index].close()

    async def start(self) -> None:
        """Wait until the kernel answers. Raises RuntimeError where it does not."""
        await self.async_start_new_kernel_client()

    def close(self) -> None:
        """Speak to the kernel no more."""
        if self.kc is not None:
            self.kc.stop_channels()

    def set_widgets_metadata(self) -> None:
        """Write the state of the widgets into the notebook; there is none before the kernel answered."""
        with contextlib.suppress(AttributeError):
            super().set_widgets_metadata()

    async def run_cell(self, index: int) -> None:
        """Execute a cell; raises nbclient's errors."""
        cell = self.nb.cells[index]
        self.kc.request_metadata = self.metadata_of(index)
        self._arrived.clear()
        try:
            await self.async_execute_cell(cell, index)
        except DeadKernelError:
            self._last_words(cell, index)
            raise
        finally:
            self._end_shown(index)
            if self.kc is not None:
                self.kc.request_metadata = None

    def _last_words(self, cell: CellNode, index: int) -> None:
        """Take what the kernel had sent, and ZeroMQ had not, when it was killed."""
        arrived, missing = set(self._arrived), []
        for frames in [] if self.words is None else newest_first(self.words):
            signed = self.kc.session.feed_identities(frames)[1]
            with contextlib.suppress(ValueError):  # what came, but had not been taken, is a duplicate to the session
                header, parent = map(self.kc.session.unpack, signed[1:3])
                if parent.get("msg_id") == self.kc.last_request and header["msg_id"] not in arrived:
                    missing.append(self.kc.session.deserialize(signed))
        for message in reversed(missing):
            with contextlib.suppress(CellExecutionComplete):
                self.process_message(message, cell, index)

    def metadata_of(self, index: int) -> dict[str, Any]:
        """What the request to execute a cell says of it, to a kernel of whichever kind."""
        cell = self.nb.cells[index]
        return {
            "cellId": cell.get("id", f"cell-{index}"),
            "mlops": {"tags": list(tags_of(cell.metadata)), "name": self._name(index), "position": index + 1},
        }

    def _name(self, index: int) -> str:
        """The name of the cell as a step that no one named; "" for any other."""
        if self._names is None:
            steps, _ = all_steps_of(cells_of(self.nb))
            self._names = {step.cell.index: step.spec.name for step in steps if not step.spec.named}
        return self._names.get(index, "")

    async def run_silently(self, code: str, expressions: dict[str, Any] | None = None) -> dict[str, Any]:
        """Execute code that leaves no trace in notebook, history or count; returns the reply's content."""
        request = self.kc.execute(code, silent=True, store_history=False, user_expressions=expressions)
        return await self.reply_to(request)

    async def language_info(self) -> dict[str, Any]:
        told: dict[str, Any] = (await self.reply_to(self.kc.kernel_info())).get("language_info", {})
        return told

    async def reply_to(self, request: str) -> dict[str, Any]:
        """The content of the reply to a request; raises `DeadKernelError` where none will come."""
        while True:
            try:
                message = await self.kc.shell_channel.get_msg(timeout=ALIVE_SECONDS)
            except Empty:
                await self._async_check_alive()
                continue
            if message["parent_header"].get("msg_id") == request:
                content: dict[str, Any] = message["content"]
                return content

    async def _async_poll_kernel_alive(self) -> None:
        """Notice soon that the kernel is gone (nbclient looks once a second), and take what it had written before."""
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            if not await self.kc.is_alive():
                await asyncio.sleep(LAST_WORDS_SECONDS)
                if self.task_poll_for_reply is not None:
                    self.task_poll_for_reply.cancel()
                return

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: CellNode, cell_index: int) -> None:
        """Take the messages of a cell; what a task says that an earlier cell began belongs to that one."""
        self._requests[parent_msg_id] = cell_index
        while True:
            message = await self.kc.iopub_channel.get_msg(timeout=None)
            if message["parent_header"].get("msg_id") != parent_msg_id:
                self.take_late(message)
                continue
            try:
                self.process_message(message, cell, cell_index)
            except CellExecutionComplete:
                return

    async def take_what_is_late(self) -> None:
        """Take what came after the last cell."""
        while True:
            try:
                self.take_late(await self.kc.iopub_channel.get_msg(timeout=0))
            except Empty:
                return
            except ValueError:
                continue  # it was among the last words of a kernel that was killed

    def take_late(self, message: Message, index: int | None = None) -> None:
        """Put what an earlier cell printed or displayed into that; `index` where it is known which."""
        if index is None:
            index = self._requests.get(message["parent_header"].get("msg_id"))
        if index is None or message["msg_type"] not in _LATE:
            return
        clear, self.clear_before_next_output = self.clear_before_next_output, False
        try:
            self.process_message(message, self.nb.cells[index], index)
        finally:
            self.clear_before_next_output = clear

    def process_message(self, msg: Message, cell: CellNode, cell_index: int) -> OutputNode | None:
        """Tell of each output as it arrives. A note of ours is none: what it says goes into the cell's metadata."""
        self._arrived.append(msg["header"].get("msg_id", ""))
        fit(msg)
        if self._is_text(msg):
            msg = self._sorted_out(msg, cell, cell_index)
        if self.on_message is not None:
            self.on_message(cell_index, msg)
        note = msg["content"].get("data", {}).get(NOTE) if msg["msg_type"] == "display_data" else None
        if note is not None:
            self._noted(note, cell)
            self.on_output(None)
            return None
        output = super().process_message(msg, cell, cell_index)
        self.on_output(output)
        return output

    def _noted(self, note: dict[str, Any], cell: CellNode) -> None:
        if note["note"] != WARNING:
            cell.metadata[METADATA] = {"step": note["step"], "status": note["note"], "source": note.get("source")}
        elif self.on_warning is not None:
            self.on_warning(note["message"], note["hint"])

    def _sorted_out(self, msg: Message, cell: CellNode, index: int) -> dict[str, Any]:
        """A piece of a stream that knows whether it is too much to be shown; one out of a journal knows already."""
        shown = self._shown_of(cell, index)
        if msg.get("overflow"):
            shown.follow(msg["overflow"])
            return msg
        return {**msg, "overflow": shown.sort_out(msg["content"]["text"], self.clear_before_next_output)}

    def _shown_of(self, cell: CellNode, index: int) -> Shown:
        outs, shown = cell.outputs, self._shown.get(index)
        if shown is None or shown.outs is not outs:
            made = Shown(outs, self._limit, self._overflows.of(index), lambda to: self._move(index, to))
            self._shown[index] = shown = made
        return shown

    def _move(self, cell_index: int, to: Callable[[int], int]) -> None:
        """Displays of a cell stand elsewhere now: their updates have to find them."""
        for cells in self._display_id_map.values():
            if cell_index in cells:
                cells[cell_index] = [to(place) for place in cells[cell_index]]

    def clear_output(self, outs: list[OutputNode], msg: Message, cell_index: int) -> None:
        """As in the base class."""
        super().clear_output(outs, msg, cell_index)
        if not self.clear_before_next_output and not outs:
            self._forget_shown(cell_index)

    def _forget_shown(self, index: int) -> None:
        if index in self._shown:
            self._shown[index].reset()

    def output(
        self, outs: list[OutputNode], msg: Message, display_id: str | None, cell_index: int
    ) -> OutputNode | None:
        """Append an output; a piece of a stream joins the piece before it, as JupyterLab does it."""
        hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if self.clear_before_next_output and not hooked:
            outs[:] = []
            self.clear_display_id_mapping(cell_index)
            self.clear_before_next_output = False
            self._forget_shown(cell_index)
        if self._is_text(msg) and cell_index in self._shown:
            content = msg["content"]
            return self._shown[cell_index].add(content["name"], content["text"], msg.get("overflow"))
        return super().output(outs, msg, display_id, cell_index)

    def _is_text(self, msg: Message) -> bool:
        """Whether a message is a piece of a stream, as it has to be, and no output widget's."""
        content = msg["content"]
        return (
            msg["msg_type"] == "stream"
            and isinstance(content.get("name"), str)
            and isinstance(content.get("text"), str)
            and not self.output_hook_stack[msg["parent_header"].get("msg_id")]
        )
