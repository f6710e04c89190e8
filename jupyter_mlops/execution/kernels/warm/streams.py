"""What a forked kernel writes, caught where it is written: `sys.stdout` and `sys.stderr`, and below them descriptors 1 and 2.

ipykernel's own stream does the buffering; what it hands to a thread with a socket goes straight to the runner here. One
thread reads the descriptors, flushes what waits, and notices when the runner has gone.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ipykernel.iostream import IOPubThread
from ipykernel.iostream import OutStream as JupyterStream

from jupyter_mlops.secrets.known import KNOWN

TICK = 0.2
"""Seconds after which text that no one flushed is sent (ipykernel's own)."""
_PIECE = 1 << 16
_GONE = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Publisher(IOPubThread):
    """In the place of ipykernel's thread with a socket: what is scheduled is done at once."""

    def __init__(self) -> None:
        self.socket = object()
        self.io_loop: Any = None
        self.background_socket: Any = SimpleNamespace(io_thread=self)
        self.thread: Any = SimpleNamespace(is_alive=lambda: False, ident=None)
        self.catch: Callable[[], None] = lambda: None

    def schedule(self, f: Callable[[], Any]) -> None:
        """Do it."""
        f()

    def start(self) -> None:
        """There is nothing to start."""

    def stop(self) -> None:
        """There is nothing to stop."""

    def close(self) -> None:
        """There is nothing to close."""


class OutStream(JupyterStream):
    """ipykernel's stream, which first takes in what was written below it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "watchfd": False})
        self.sending = threading.RLock()
        self.descriptor = {"stdout": 1, "stderr": 2}[self.name]
        self.forked_writes_to: int | None = None

    def write(self, string: str) -> int:
        """Write; what a process forked by a cell writes goes through the descriptor, which the kernel reads."""
        if self.forked_writes_to is not None and not self._is_master_process():
            if not isinstance(string, str):
                raise TypeError(f"write() argument must be str, not {type(string)}")
            left = memoryview(string.encode("utf-8", "replace"))
            while left:
                left = left[os.write(self.forked_writes_to, left) :]
            return len(string)
        if KNOWN.patterns is not None and self.pub_thread is not None:
            self.pub_thread.catch()  # a secret that is written by turns here and below is found in its order only
        return super().write(string) or 0

    def flush(self) -> None:
        """Send what is buffered, and what was written below by now."""
        if self._is_master_process():
            if self.pub_thread is not None:
                self.pub_thread.catch()
            self._flush()

    def _flush(self) -> None:
        with self.sending:
            super()._flush()

    def _schedule_flush(self) -> None:
        self._flush_pending = True

    def flush_late(self) -> None:
        """Send what no one flushed."""
        if self._flush_pending:
            self._flush()


# Programs ask for the kind of the stream by these names.
OutStream.__module__ = JupyterStream.__module__
OutStream.__qualname__ = JupyterStream.__qualname__


class Catcher:
    """Reads what is written to descriptors 1 and 2 into the streams; ends the process when the runner is gone."""

    def __init__(self, streams: list[OutStream], connection: socket.socket) -> None:
        self._connection = connection
        self._streams: dict[int, OutStream] = {}
        self._decoders: dict[int, Any] = {}
        self._lock = threading.RLock()
        self._written = select.poll()
        self.leaving = False
        for stream in streams:
            reading, writing = os.pipe()
            stream._original_stdstream_copy = os.dup(stream.descriptor)
            os.set_inheritable(stream._original_stdstream_copy, False)
            os.dup2(writing, stream.descriptor)
            os.close(writing)
            os.set_blocking(reading, False)
            with contextlib.suppress(OSError, AttributeError):
                fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, 1 << 20)  # type: ignore[attr-defined, unused-ignore]
            stream.forked_writes_to = stream.descriptor
            self._streams[reading] = stream
            self._written.register(reading, select.POLLIN)
            self._decoders[reading] = codecs.getincrementaldecoder("utf-8")("replace")
        self._thread = threading.Thread(target=self._watch, name="IOPub", daemon=True)
        self._thread.pydev_do_not_trace = True  # type: ignore[attr-defined]
        self._thread.is_pydev_daemon_thread = True  # type: ignore[attr-defined]

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def catch(self) -> None:
        """Take in what was written by now."""
        with self._lock:
            for reading, _ in self._written.poll(0):
                self._read(reading)

    def _read(self, reading: int) -> bool:
        """Whether there was anything."""
        try:
            data = os.read(reading, _PIECE)
        except BlockingIOError:
            return False
        if data:
            text = self._decoders[reading].decode(data)
            if text:
                JupyterStream.write(self._streams[reading], text)
        return bool(data)

    def _watch(self) -> None:
        poll = select.poll()
        for reading in self._streams:
            poll.register(reading, select.POLLIN)
        poll.register(self._connection, getattr(select, "POLLRDHUP", 0))
        runner = self._connection.fileno()
        while True:
            for descriptor, events in poll.poll(TICK * 1000):
                if descriptor == runner and events & _GONE:
                    if not self.leaving:
                        end_group()
                    return
                with self._lock:
                    if descriptor in self._streams:
                        self._read(descriptor)
            for stream in self._streams.values():
                stream.flush_late()


def end_group() -> None:
    """End this kernel and the processes it started, at once."""
    with contextlib.suppress(OSError):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
