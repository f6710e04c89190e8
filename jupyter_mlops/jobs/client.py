"""nbclient's notebook client with what a job needs besides: request metadata, tidy streams, word of each output."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from nbclient.client import NotebookClient
from nbformat import NotebookNode
from traitlets import Type

from jupyter_mlops.analysis.notebook import all_steps_of, cells_of, tags_of
from jupyter_mlops.capture.display import METADATA, NOTE, WARNING

IOPUB_SECONDS = 60
"""How long outputs may lag behind a cell's reply (nbclient's 4 s fail on megabytes of output)."""
ALIVE_SECONDS = 0.1
"""Between two looks whether the kernel is still there while it owes an answer."""
LOOK_SECONDS = 0.2
"""Between two looks whether a message is there whose coming went unnoticed."""
LAST_WORDS_SECONDS = 0.2
"""How long what a kernel wrote before its death may take to arrive."""
_DISPLAYS = ("display_data", "execute_result", "update_display_data")
_JSON = re.compile(r"application/(.*\+)?json$")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n])")
_BACKSPACE = re.compile(r"[^\n]\x08")


def fit(message: dict[str, Any]) -> None:
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
        return str(message["header"]["msg_id"])


class CellClient(NotebookClient):
    """Executes one cell at a time into its notebook; which cells, and what their end means, is the caller's matter."""

    on_output: Callable[[Any], None]
    on_message: Callable[[int, dict[str, Any]], None] | None = None
    """Where given, told of each message that says something of a cell, before it changes the notebook."""
    on_warning: Callable[[str, str], None] | None = None
    """Where given, told of what the kernel says that the user should know, and how to mend it."""
    kc: Any

    def __init__(self, notebook: Any, manager: Any, on_output: Callable[[Any], None], **options: Any) -> None:
        manager.client_factory = TaggedKernelClient
        super().__init__(notebook, km=manager, iopub_timeout=IOPUB_SECONDS, raise_on_iopub_timeout=True, **options)
        self.on_output = on_output
        self._names: dict[int, str] | None = None

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
        self.kc.request_metadata = self.metadata_of(index)
        try:
            await self.async_execute_cell(self.nb.cells[index], index)
        finally:
            if self.kc is not None:
                self.kc.request_metadata = None

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
        """See `CellRunner`."""
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

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Tell of each output as it arrives. A note of ours is none: what it says goes into the cell's metadata."""
        fit(msg)
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

    def _noted(self, note: dict[str, Any], cell: Any) -> None:
        if note["note"] != WARNING:
            cell.metadata[METADATA] = {"step": note["step"], "status": note["note"], "source": note.get("source")}
        elif self.on_warning is not None:
            self.on_warning(note["message"], note["hint"])

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
        """Append an output; a piece of a stream joins the piece before it, as JupyterLab does it."""
        output = self._stream(outs, msg, cell_index) or super().output(outs, msg, display_id, cell_index)
        if output is None or output.output_type != "stream" or not outs or outs[-1] is not output:
            return output
        before = outs[-2] if len(outs) > 1 else None
        if before is not None and before.output_type == "stream" and before.name == output.name:
            outs.pop()
            before.text = joined(before.text, output.text)
        else:
            output.text = joined("", output.text)
        return output

    def _stream(self, outs: list[Any], msg: dict[str, Any], cell_index: int) -> Any:
        """Append a piece of a stream as nbclient does, without the check against nbformat's schema, which takes seven times
        as long; None where it is none, or an output widget's."""
        name, text = msg["content"].get("name"), msg["content"].get("text")
        if msg["msg_type"] != "stream" or self.output_hook_stack[msg["parent_header"].get("msg_id")]:
            return None
        if not isinstance(name, str) or not isinstance(text, str):
            return None
        if self.clear_before_next_output:
            outs[:] = []
            self.clear_display_id_mapping(cell_index)
            self.clear_before_next_output = False
        outs.append(NotebookNode(output_type="stream", name=name, text=text))
        return outs[-1]


def joined(before: str, after: str) -> str:
    """Two pieces of a stream as one; what carriage returns and backspaces overwrote on the last line is left out."""
    if "\r" not in after and "\b" not in after and not before.endswith("\r"):
        return before + after
    cut = before.rfind("\n") + 1
    tail = before[cut:] + after
    shorter = _BACKSPACE.sub("", tail)
    while len(shorter) < len(tail):
        tail, shorter = shorter, _BACKSPACE.sub("", shorter)
    return before[:cut] + _OVERWRITTEN.sub("", tail)
