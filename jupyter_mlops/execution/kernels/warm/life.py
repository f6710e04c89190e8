"""The life of a forked kernel: it becomes a process of its own, and answers requests until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ipykernel import utils

from jupyter_mlops.execution.kernels.warm.randoms import reseed
from jupyter_mlops.execution.kernels.warm.shell import IPKernelApp, MessageFrames, Out
from jupyter_mlops.execution.kernels.warm.streams import Catcher, OutStream
from jupyter_mlops.execution.kernels.warm.wire import Frames, date_of

COMMS = ("comm_open", "comm_msg", "comm_close")
_BUFFERED = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


def prepare_process(start: dict[str, Any], shell_environment: dict[str, str | None]) -> None:
    """Signals, folder and environment of a forked kernel, as a process of its own would have them."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir(start["folder"])
    wanted = start["environment"]
    for name in [name for name in os.environ if name not in wanted]:
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    for name, value in shell_environment.items():
        if value is None:
            os.environ.pop(name, None)
        elif name != "MPLBACKEND":
            os.environ[name] = value
    os.environ["JPY_PARENT_PID"] = str(start["runner"])
    sys.argv[:] = [str(Path(sys.modules["ipykernel_launcher"].__file__ or "ipykernel_launcher.py"))]
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)


class Life:
    """A forked kernel's life: it answers requests until it is told to end."""

    def __init__(
        self,
        app: IPKernelApp,
        connection: socket.socket,
        frames: Frames,
        early: Sequence[Any],
        find: Callable[[str], Any],
    ) -> None:
        self.app = app
        self.find = find
        self.kernel = app.kernel
        self.concurrent = app.concurrent
        self.connection = connection
        self.frames = frames
        self.early = early
        self.out = Out(connection)
        self.streams: list[OutStream] = [sys.stdout, sys.stderr]  # type: ignore[list-item]
        self.catcher = Catcher(self.streams, connection)

    def begin(self) -> None:
        """Make what must be this process's own."""
        app, kernel, shell = self.app, self.kernel, self.kernel.shell
        pid = os.getpid()
        session = app.session
        session.session, session.pid, session.out = str(uuid.uuid4()), pid, self.out
        kernel.ident = str(uuid.uuid4())
        shell.displayhook.topic = kernel._topic("execute_result")
        for stream in self.streams:
            stream._master_pid = pid
            stream._buffers.clear()
        app.iopub_thread.catch = self.catcher.catch
        sys.argv[1:] = app.arguments
        reseed(self.find)
        shell.history_manager.new_session()
        with contextlib.suppress(KeyError, AttributeError, TypeError):
            sys.modules["multiprocessing.process"].current_process().authkey = os.urandom(32)
        self.catcher.start()
        app.alive = True
        app.init_gui_pylab()
        app.init_extensions()
        app.init_code()
        for stream in self.streams:
            stream.flush()

    def run(self) -> None:
        """Answer requests."""
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.call_soon(self._listen)
        try:
            loop.run_forever()
        except KeyboardInterrupt:
            pass
        finally:
            self.catcher.leaving = True
            self.out.release()

    def _listen(self) -> None:
        from tornado import ioloop

        self.loop = asyncio.get_running_loop()
        self.kernel.io_loop = ioloop.IOLoop.current()
        self.kernel.shell.exit_now = False
        self.lock = asyncio.Lock()
        self.tasks: set[asyncio.Task[None]] = set()
        in_context = getattr(utils, "_async_in_context", lambda function: function)
        self.dispatch = in_context(self._dispatch)
        self._take(self.early)
        self.loop.add_reader(self.connection.fileno(), self._readable)

    def _readable(self) -> None:
        piece = self.connection.recv(1 << 16)
        if not piece:
            self.loop.stop()
            return
        self._take(self.frames.feed(piece))

    def _take(self, messages: Sequence[tuple[dict[str, Any], list[bytes]]]) -> None:
        for message, buffers in messages:
            message["header"]["date"] = date_of(message["header"]["date"])
            message["buffers"] = [memoryview(buffer) for buffer in buffers]
            kind = message["header"]["msg_type"]
            message["msg_type"], message["msg_id"] = kind, message["header"]["msg_id"]
            now = kind in COMMS and self.lock.locked() and self.concurrent
            work = self._concurrently(message) if now else self.dispatch(message)
            task = self.loop.create_task(work)
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _dispatch(self, message: dict[str, Any]) -> None:
        async with self.lock:
            if message["msg_type"] == "shutdown_request":
                self.kernel.do_shutdown(False)
                self.loop.stop()
                return
            await self.kernel.dispatch_shell(MessageFrames(message))
            self.out.release()

    async def _concurrently(self, message: dict[str, Any]) -> None:
        """A cell that awaits an answer from a widget gets it while it runs, as ipykernel has it."""
        parent = self.kernel.get_parent("shell")
        try:
            await self.kernel.dispatch_shell(MessageFrames(message), concurrent=True)
        finally:
            self.kernel.set_parent([b"runner"], parent, channel="shell")

    def end(self) -> None:
        """End as an interpreter does, up to the point where it would take its modules apart."""
        import atexit
        import gc

        self.catcher.leaving = True
        with contextlib.suppress(KeyboardInterrupt):
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
        # What the notebook left open is closed, and its objects' last words are said.
        if not getattr(self.kernel.shell, "_atexit_once_called", False):
            with contextlib.suppress(Exception, KeyboardInterrupt):
                self.kernel.shell.reset(new_session=False)
        gc.collect()
        for item in gc.get_objects():
            if type(item) in _BUFFERED:
                with contextlib.suppress(OSError, ValueError):
                    item.flush()
        for stream in self.streams:
            stream.flush()
        self.out.release()
