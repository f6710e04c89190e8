"""ipykernel's own kernel and shell without sockets, in a forked process: what it would send is kept in a list."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import logging
import os
import sys
from types import SimpleNamespace
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_client.session import Session
from traitlets import Any as AnyTrait

from jupyter_mlops.domain.reason_text import phrases, sentence

NOTE = "application/vnd.jupyter-mlops.note+json"
SHOWN = ("stream", "display_data", "update_display_data", "execute_result", "error", "clear_output")


ENCODE, DECODE = json.JSONEncoder(default=str).encode, json.JSONDecoder().decode


class ListSession(Session):
    """Keeps the messages it is asked to send."""

    sent = AnyTrait()

    def send(self, stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, **options: Any) -> Any:
        message = msg_or_type if isinstance(msg_or_type, dict) else self.msg(msg_or_type, content, parent)
        self.sent.append((message["header"]["msg_type"], DECODE(ENCODE(message["content"]))))
        return message


class Stream(io.TextIOBase):
    """`sys.stdout` and `sys.stderr`: each text is a message, as ipykernel's OutStream makes them."""

    encoding = "UTF-8"

    def __init__(self, name: str, sent: list[Any]) -> None:
        self.name = name
        self._sent = sent

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        self._sent.append(("stream", {"name": self.name, "text": text}))
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False


async def _with_context(execution: Any) -> tuple[dict[str, Any], contextvars.Context]:
    """The result, and the context variables as they are then."""
    return await execution, contextvars.copy_context()


class Kernel:
    """One kernel of this process; `play` runs cells as a front end would ask for them."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        sys.stdout, sys.stderr = Stream("stdout", self.sent), Stream("stderr", self.sent)
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        session = ListSession(sent=self.sent, key=b"", username="oracle")
        log = logging.getLogger("oracle")
        log.addHandler(logging.NullHandler())
        self.kernel = IPythonKernel(session=session, iopub_socket=object(), log=log)
        self.kernel.shell_channel_thread = SimpleNamespace(parent_thread=None)
        self.shell = self.kernel.shell
        self.shell.displayhook.get_execution_count = lambda: self.kernel.execution_count
        self.shell.InteractiveTB.set_mode("Minimal")  # what is compared is the error, and the other modes are slow
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.capturing = False
        self._position = 0

    def load_extension(self) -> None:
        """As a job's kernel is prepared."""
        self.run({"code": "%load_ext jupyter_mlops", "silent": True})
        self.run({"code": "get_ipython().extension_manager.loaded.discard('jupyter_mlops')", "silent": True})
        self.capturing = True

    def run(self, cell: dict[str, Any]) -> list[Any]:
        """What one cell showed, and its error."""
        del self.sent[:]
        metadata = {"cellId": cell.get("id")}
        if "tags" in cell:
            metadata["mlops"] = {"tags": cell["tags"]}
        silent = cell.get("silent", False)
        content = {"code": cell["code"], "silent": silent}
        parent = self.kernel.session.msg("execute_request", content, metadata=metadata)
        self.kernel.set_parent([b"oracle"], parent)
        execution = self.kernel.do_execute(
            cell["code"], silent, not silent, cell_meta=metadata, cell_id=cell.get("id"), allow_stdin=False
        )
        reply, context = self.loop.run_until_complete(_with_context(execution))
        for variable, value in context.items():
            variable.set(value)  # as ipykernel does: what a cell sets holds for the next
        shown = [message for message in self.sent if message[0] in SHOWN]
        if reply["status"] == "error" and not any(kind == "error" for kind, _ in shown):
            shown.append(("error", {"ename": reply["ename"], "evalue": reply["evalue"]}))
        return shown

    def play(self, cells: list[dict[str, Any]]) -> dict[str, Any]:
        """Run cells one after the other; an error does not end it. Gives what each showed, and what became of it."""
        shown = [self.run(cell) for cell in cells]
        return {"shown": shown, "records": self._records() if self.capturing else {}}

    def _records(self) -> dict[str, dict[str, Any]]:
        """Cell id → what the store knows of its latest run since the last time this was asked."""
        from jupyter_mlops.magics.extension import _loaded

        _, session, _ = _loaded[id(self.shell)]
        if not session.run.project.is_open or session.run.begun is None:
            return {}
        session.run.writing.drain(60)
        found = [run for run in session.run.store.steps.runs(run_id=session.run.id) if run.position > self._position]
        records = {}
        for run in reversed(found):
            self._position = max(self._position, run.position)
            records[run.cell_id or run.step] = {
                "status": run.status.value,
                "why": sentence(run.why),
                "why_code": run.why.code.value if run.why is not None else "",
                "unrepeatable": phrases(run.unrepeatable),
                "step": run.step,
                "key": run.key,
                "inputs": {name: item.digest for name, item in run.inputs.items()},
                "outputs": dict(run.outputs),
            }
        return records

    def close(self) -> None:
        """End in good order."""
        if self.capturing:
            from jupyter_mlops.magics.extension import unload

            unload(self.shell)
