"""A real kernel for tests: start it, run cells as JupyterLab does (cell ids, tags), see what they showed."""

from __future__ import annotations

import os
import queue
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

NOTE = "application/vnd.jupyter-mlops.note+json"


@dataclass
class Cell:
    """What one cell showed. `outputs` are without our own notes; `notes` are those."""

    outputs: list[tuple[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def reused(self) -> bool:
        return any(note["note"] == "reused" for note in self.notes)

    @property
    def text(self) -> str:
        """Streams, plain texts and tracebacks in order, and what we warned of."""
        warned = [note for note in self.notes if note["note"] == "warning"]
        said = "".join(f"{note['message']}\nHint: {note['hint']}\n" for note in warned)
        return "".join(str(content) for _, content in self.outputs) + said

    @property
    def error(self) -> str:
        return "".join(content for kind, content in self.outputs if kind == "error")


class LiveKernel:
    """An IPython kernel in a folder of its own project, of this or of another interpreter."""

    def __init__(self, folder: Path, extension: bool = True, python: Path | None = None, **environment: str) -> None:
        self.folder = folder
        self.closed = False
        self.manager = KernelManager(kernel_name="python3")
        if python is not None:
            self.manager.kernel_spec.argv[0] = str(python)
        self.manager.start_kernel(cwd=str(folder), env={**os.environ, **environment})
        self.client: BlockingKernelClient = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        if extension:
            self.run("%load_ext jupyter_mlops")

    def run(
        self,
        code: str,
        *,
        cell_id: str | None = None,
        tags: list[str] | None = None,
        silent: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> Cell:
        """Run a cell to its end; `metadata` are what a front end sends besides."""
        metadata = {**(metadata or {}), **({"cellId": cell_id} if cell_id else {})}
        if tags is not None:
            metadata["mlops"] = {"tags": tags}
        content = {"code": code, "silent": silent, "store_history": not silent, "user_expressions": {}}
        content |= {"allow_stdin": False, "stop_on_error": False}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return self._collect(message["header"]["msg_id"])

    def _collect(self, request: str) -> Cell:
        cell = Cell()
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=120)
            except queue.Empty:
                raise AssertionError("the kernel is silent") from None
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            self._take(cell, kind, content)
        reply = self.client.get_shell_msg(timeout=120)
        while reply["parent_header"].get("msg_id") != request:
            reply = self.client.get_shell_msg(timeout=120)
        return cell

    @staticmethod
    def _take(cell: Cell, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            if cell.outputs and cell.outputs[-1][0] == content["name"]:
                content["text"] = cell.outputs.pop()[1] + content["text"]
            cell.outputs.append((content["name"], content["text"]))
        elif kind == "error":
            cell.outputs.append((kind, "\n".join(content["traceback"])))
        elif kind in ("display_data", "execute_result", "update_display_data"):
            if NOTE in content["data"]:
                cell.notes.append(content["data"][NOTE])
            else:
                cell.outputs.append((kind, content["data"].get("text/plain", str(sorted(content["data"])))))

    def clear(self) -> None:
        """Forget all names, without the extension seeing it: as a fresh kernel would."""
        code = "[globals().pop(_k) for _k in list(globals()) if not _k.startswith('_') and _k not in "
        self.run(code + "('In','Out','get_ipython','exit','quit','open')]", silent=True)

    def close(self, *, now: bool = False) -> None:
        """End the kernel, in good order or `now`; once more does nothing."""
        if self.closed:
            return
        self.closed = True
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=now)
