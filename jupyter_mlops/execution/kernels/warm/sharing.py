"""A worker lends its warm kernels to other processes of the same user: a socket file of theirs in a folder of theirs."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_mlops.execution.kernels.warm.fitness import NotWarm, Wish
from jupyter_mlops.execution.kernels.warm.kernel import WarmKernel
from jupyter_mlops.execution.kernels.warm.wire import Frames, packed

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_mlops.execution.kernels.warm.parent import ForkListener, Parent

PROTOCOL = 3
"""How kernels speak to their runners: only where both know it is a kernel lent."""
_OTHER = "the worker has another version of jupyter-mlops"
ANSWER_SECONDS = 2.0
"""A worker that does not answer so soon is left alone."""


def folder() -> Path:
    """Where the sockets are: only their user may look into it."""
    from jupyter_core.paths import jupyter_runtime_dir

    found = Path(jupyter_runtime_dir()) / "mlops-warm"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(found, 0o700)
    return found


def any_lender() -> bool:
    """Whether it is worth asking."""
    return any(folder().glob("*.sock"))


class Lendable(Protocol):
    """A pool whose kernels may be lent."""

    def ready(self, wish: Wish) -> Parent | None:
        """A process that forks such kernels, where there is one."""

    def make(self, wish: Wish) -> Parent:
        """Start one. Raises `NotWarm`."""

    def note(self, wish: Wish) -> str:
        """What a kernel has to import itself, and why."""

    def fork(
        self, parent: Parent, wish: Wish, theirs: socket.socket, ours: socket.socket | None, told: ForkListener
    ) -> None:
        """Have `parent` fork a kernel that speaks over `theirs`. Raises `NotWarm`."""


class Lender:
    """Lends the kernels of a pool until it is closed."""

    def __init__(self, pool: Lendable) -> None:
        self._pool = pool
        self.path = folder() / f"{os.getpid()}.sock"
        self.path.unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            self._listening.bind(str(self.path))
        finally:
            os.umask(before)
        self._listening.listen(16)
        threading.Thread(target=self._accept, name="mlops-lend", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            if _is_ours(connection):
                threading.Thread(target=self._serve, args=(connection,), name="mlops-lent", daemon=True).start()
            else:
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            frames, descriptors = Frames(), []
            messages: list[Any] = []
            while not messages:
                data, received, _, _ = socket.recv_fds(connection, 1 << 16, 1)
                descriptors += received
                if not data:
                    break
                messages += frames.feed(data)
            if not messages or not descriptors:
                return
            told = _Borrower(connection)
            with socket.socket(fileno=descriptors[0]) as theirs:
                try:
                    self._lend(messages.pop(0)[0], theirs, told)
                except NotWarm as error:
                    connection.sendall(packed({"refused": error.message}))
                    return
            while data := connection.recv(1 << 16):
                for message, _ in frames.feed(data):
                    told.send(message["signal"])

    def _lend(self, asked: dict[str, Any], theirs: socket.socket, told: _Borrower) -> None:
        if asked.get("protocol") != PROTOCOL:
            raise NotWarm(_OTHER)
        told_of = (tuple(asked[key]) for key in ("names", "cells"))
        wish = Wish(tuple(asked["command"]), asked["folder"], asked["environment"], *told_of)
        if wish.command[0] != sys.executable:
            raise NotWarm("the worker's kernels use another Python")
        parent = self._pool.ready(wish)
        if parent is None:
            threading.Thread(target=self._prepare, args=(wish,), name="mlops-prepare", daemon=True).start()
            raise NotWarm("the worker's warm kernels do not have these imports yet")
        told.say({"note": self._pool.note(wish), "language_info": parent.language_info})
        self._pool.fork(parent, wish, theirs, None, told)

    def _prepare(self, wish: Wish) -> None:
        with contextlib.suppress(NotWarm):
            self._pool.make(wish)

    def close(self) -> None:
        """Lend no more."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.path.unlink(missing_ok=True)


class _Borrower:
    """The other process, told what becomes of its kernel."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self.send: Callable[[int], None] = lambda number: None

    def signaled_by(self, send: Callable[[int], None]) -> None:
        self.send = send

    def forked(self, pid: int) -> None:
        self.say({"pid": pid})

    def ended(self, code: int | None) -> None:
        self.say({"code": code})

    def left(self) -> None:
        # It may go on; the other process looks for itself.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def say(self, message: dict[str, Any]) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._connection.sendall(packed(message))


def borrow(wish: Wish) -> WarmKernel:
    """A kernel of a worker that is alive. Raises `NotWarm`."""
    why = "no process with warm kernels is alive"
    for path in sorted(folder().glob("*.sock"), reverse=True):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(path))
        except OSError:
            connection.close()
            if not os.path.exists(f"/proc/{path.stem}"):
                path.unlink(missing_ok=True)
            continue
        try:
            return _ask(connection, wish)
        except (NotWarm, OSError) as error:
            connection.close()
            why = error.message if isinstance(error, NotWarm) else f"the worker's process does not answer ({error})"
    raise NotWarm(why)


def _ask(connection: socket.socket, wish: Wish) -> WarmKernel:
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            start = {"folder": wish.folder, "environment": wish.environment, "runner": os.getpid()}
            ours.sendall(packed(start))
            asked = {**start, "protocol": PROTOCOL, "command": wish.command, "names": wish.names, "cells": wish.cells}
            data = packed(asked)
            sent = socket.send_fds(connection, [data], [theirs.fileno()])
            if sent < len(
                data
            ):  # nothing more to send is an error too where the answer came and the other end is closed
                connection.sendall(data[sent:])
        frames = Frames()
        messages: list[Any] = []
        while not messages:
            piece = connection.recv(1 << 16)
            if not piece:
                raise NotWarm("the worker's process is gone")
            messages += frames.feed(piece)
        first = messages.pop(0)[0]
        if "refused" in first:
            raise NotWarm(first["refused"])
        if "language_info" not in first:
            raise NotWarm(_OTHER)
    except BaseException:
        ours.close()
        raise
    connection.settimeout(None)
    kernel = WarmKernel(ours, first["note"], first["language_info"])
    kernel.signaled_by(lambda number: _signal(connection, number))
    listener = threading.Thread(target=_listen, args=(connection, frames, messages, kernel), daemon=True)
    listener.start()
    return kernel


def _signal(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(packed({"signal": number}))


def _listen(connection: socket.socket, frames: Frames, messages: list[Any], kernel: WarmKernel) -> None:
    """Tell the kernel what the worker tells of it; where the worker goes away first, look at its process."""
    pid = None
    with connection:
        while True:
            for message, _ in messages:
                if "pid" in message:
                    pid = int(message["pid"])
                    kernel.forked(pid)
                elif "refused" in message:
                    kernel.ended(None)
                    return
                elif "code" in message:
                    kernel.ended(message["code"])
                    return
            try:
                piece = connection.recv(1 << 16)
            except OSError:
                piece = b""
            if not piece:
                break
            messages = frames.feed(piece)
    if pid is not None:
        kernel.signaled_by(lambda number: _kill(pid, number))
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.05)
    kernel.ended(None)


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, number)


def _is_ours(connection: socket.socket) -> bool:
    """Whether the process at the other end is of the same user."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", credentials)[1] == os.getuid())
