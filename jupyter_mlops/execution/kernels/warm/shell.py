"""ipykernel's own application, kernel and shell without sockets, made before the fork; what they do after it is in `life`."""

from __future__ import annotations

import inspect
import logging
import os
import socket
import sys
import threading
import uuid
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import ipykernel.ipkernel
from ipykernel.displayhook import ZMQDisplayHook
from ipykernel.kernelapp import IPKernelApp as JupyterApp
from jupyter_client.session import Session
from traitlets import Any as AnyTrait

from jupyter_mlops.capture.kernel.ipykernel_patches import keep_packing
from jupyter_mlops.execution.kernels.warm.lighter import quiet, remember_signatures
from jupyter_mlops.execution.kernels.warm.streams import OutStream, Publisher, end_group
from jupyter_mlops.execution.kernels.warm.wire import LONG, apart, framed

_HELD = ("status", "execute_input", "execute_reply")
"""Messages that wait for the next that shows something: the runner is woken once for a cell that shows nothing."""
_STORE = "storemagic"


class MessageFrames(list[Any]):
    """A message in the place of the frames that ipykernel expects."""

    def __init__(self, message: dict[str, Any]) -> None:
        super().__init__((b"runner", b""))
        self.message = message


class PipeSession(Session):
    """A session whose messages are not signed, and go to the runner."""

    out = AnyTrait(allow_none=True)

    def feed_identities(self, msg_list: Any, copy: bool = True) -> tuple[list[bytes], Any]:
        return [b"runner"], msg_list

    def deserialize(self, msg_list: Any, content: bool = True, copy: bool = True) -> dict[str, Any]:
        message: dict[str, Any] = msg_list.message
        return message

    def send(
        self,
        stream: Any,
        msg_or_type: Any,
        content: Any = None,
        parent: Any = None,
        ident: Any = None,
        buffers: Any = None,
        track: bool = False,
        header: Any = None,
        metadata: Any = None,
    ) -> Any:
        if isinstance(msg_or_type, dict):
            message = msg_or_type
            buffers = buffers or message.get("buffers", [])
        else:
            message = self.msg(msg_or_type, content=content, parent=parent, header=header, metadata=metadata)
        if self.out is None:
            return message
        if self.check_pid and os.getpid() != self.pid:
            sys.__stderr__ and print(f"WARNING: attempted to send message from fork\n{message}", file=sys.__stderr__)
            return None
        kind = message["header"]["msg_type"]
        plain = {key: message[key] for key in ("header", "parent_header", "metadata", "content")}
        if kind == "stream":
            plain["content"], buffers = apart(plain["content"])
        try:
            data = self.pack(plain)
        except UnicodeEncodeError:
            if kind != "stream":
                raise
            # Half a surrogate pair: ipykernel's thread fails at it, and what was printed with it is lost.
            text = plain["content"]["text"].encode("utf-8", "replace").decode()
            data = self.pack({**plain, "content": {**plain["content"], "text": text}})
        self.out.send(framed(data, buffers or ()), kind in _HELD)
        return message


class Out:
    """Writes frames to the runner; whole ones, whoever writes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self._held: list[Any] = []

    def send(self, frame: Sequence[Any], hold: bool = False) -> None:
        """Send the pieces of a frame, or hold them until the next that is not held."""
        with self._lock:
            self._held += frame
            if not hold:
                self.release()

    def release(self) -> None:
        """Send what is held."""
        with self._lock:
            held, self._held = self._held, []
            short = 0
            try:
                for place, piece in enumerate(held):
                    if len(piece) >= LONG:
                        self._connection.sendall(b"".join(held[short:place]))
                        self._connection.sendall(piece)
                        short = place + 1
                if held[short:]:
                    self._connection.sendall(b"".join(held[short:]))
            except OSError:
                end_group()


class IPythonKernel(ipykernel.ipkernel.IPythonKernel):
    """ipykernel's kernel, with one shell and one request at a time."""

    _supports_kernel_subshells = False

    def _abort_queues(self, subshell_id: str | None = None) -> None:
        """A runner asks for one cell at a time: there is nothing to abort."""


IPythonKernel.__module__ = ipykernel.ipkernel.__name__


class IPKernelApp(JupyterApp):
    """ipykernel's application up to the point where it would listen."""

    alive = False
    concurrent = False
    """Whether ipykernel takes messages of widgets while a cell runs."""
    arguments: list[str]
    """What the kernel was started with, as an ordinary one is."""

    def init_sockets(self) -> None:
        self.iopub_thread = Publisher()
        self.iopub_socket = self.iopub_thread.background_socket
        self.session = PipeSession(parent=self)

    def init_connection_file(self) -> None:
        """See `IPKernelApp`."""

    def write_connection_file(self, **others: Any) -> None:
        """See `IPKernelApp`."""

    def log_connection_info(self) -> None:
        """See `IPKernelApp`."""

    def init_heartbeat(self) -> None:
        """See `IPKernelApp`."""

    def init_poller(self) -> None:
        """See `IPKernelApp`."""

    def init_io(self) -> None:
        sys.stdout = OutStream(self.session, self.iopub_thread, "stdout")
        sys.stderr = OutStream(self.session, self.iopub_thread, "stderr")
        self.displayhook = ZMQDisplayHook(self.session, self.iopub_socket)
        sys.displayhook = self.displayhook
        self.patch_io()

    def init_kernel(self) -> None:
        self.kernel = IPythonKernel.instance(
            parent=self,
            session=self.session,
            iopub_thread=self.iopub_thread,
            iopub_socket=self.iopub_socket,
            log=self.log,
            profile_dir=self.profile_dir,
            user_ns=self.user_ns,
        )
        # ipykernel 7 asks which thread is the shell's.
        self.kernel.shell_channel_thread = SimpleNamespace(parent_thread=threading.main_thread())
        # A pause that lets sockets catch up.
        self.kernel._execute_sleep = 0
        self.displayhook.get_execution_count = lambda: self.kernel.execution_count

    def init_gui_pylab(self) -> None:
        """After the fork: what it finds is the job's."""
        if self.alive:
            super().init_gui_pylab()

    def init_extensions(self) -> None:
        """After the fork, as the user's own extensions and files may do anything."""
        if self.alive:
            super().init_extensions()
            self.kernel.shell.extension_manager.loaded.discard(_STORE)  # it is known by its long name, as in any kernel

    def init_code(self) -> None:
        """After the fork."""
        if self.alive:
            super().init_code()


def make_app() -> IPKernelApp:
    """The application with its kernel and shell, as far as they can be made before the fork."""
    connection_file = f"kernel-{uuid.uuid4()}.json"
    app: IPKernelApp = IPKernelApp.instance()
    app.initialize(["-f", connection_file, "--HistoryManager.hist_file=:memory:"])
    if not app.config.get("StoreMagics", {}).get("autorestore"):
        # What IPython loads anyway, and brings back no values: else in each fork.
        extensions = app.kernel.shell.extension_manager
        extensions.load_extension(_STORE)
        extensions.loaded.add(_STORE)  # under the short name too, by which each fork asks for it
    app.concurrent = "concurrent" in inspect.signature(app.kernel.dispatch_shell).parameters
    app.log.debug, app.log.info = quiet(app.log, logging.DEBUG), quiet(app.log, logging.INFO)
    keep_packing(app.kernel.shell)
    remember_signatures()
    app.arguments = ["-f", app.abs_connection_file, "--HistoryManager.hist_file=:memory:"]
    return app
