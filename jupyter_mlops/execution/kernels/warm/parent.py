"""One process that forks kernels, as the pool sees it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from jupyter_mlops.execution.kernels.warm.wire import Frames, packed

LOOK_SECONDS = 5.0
"""How often the files it has loaded are looked at."""
_START = "import sys; from jupyter_mlops.execution.kernels.warm.zygote import main; main()"


class ProcessBase(NamedTuple):
    """What must be the same for two notebooks to share a process: interpreter, environment, packages."""

    command: tuple[str, ...]
    environment: frozenset[tuple[str, str]]
    packages: tuple[tuple[str, int], ...]


class Refused(Exception):
    """It cannot be started with the import `name` ("" : at all)."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


class ForkListener(Protocol):
    """Who is told what becomes of a kernel."""

    def signaled_by(self, send: Callable[[int], None]) -> None:
        """This sends it a signal."""

    def forked(self, pid: int) -> None:
        """Its process is there."""

    def ended(self, code: int | None) -> None:
        """Its process is gone, with this exit code, negative for a signal; None where that is not known."""

    def left(self) -> None:
        """The process that forked it is gone, or lets no one know any more."""


class Parent:
    """Starts the process and speaks to it. Raises `Refused`."""

    def __init__(self, base: ProcessBase, imports: list[str], environment: Mapping[str, str], seconds: float) -> None:
        self.base = base
        self.imports = set(imports)
        self.used = time.monotonic()
        self._lock = threading.Lock()
        self._kernels: dict[int, ForkListener] = {}
        self._count = 0
        self._retired = False
        self.alive = False
        ours, theirs = socket.socketpair()
        self._control = ours
        command = [*base.command, "-c", _START, str(theirs.fileno()), json.dumps(imports)]
        own = {name: value for name, value in environment.items() if not name.startswith("MLOPS_")}
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                env=own,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None,
                start_new_session=True,
                cwd=os.path.dirname(sys.executable),
            )
        self._frames = Frames()
        try:
            answer = self._wait(seconds)
        except BaseException:
            self.close()
            raise
        self._files: dict[str, int] = answer["files"]
        self._looked = time.monotonic()
        self.names: set[str] = set(answer["names"])
        self.language_info: dict[str, Any] = answer["language_info"]
        self.memory = _memory(self._process.pid)
        self.alive = True
        threading.Thread(target=self._listen, name="mlops-warm", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def _wait(self, seconds: float) -> dict[str, Any]:
        self._control.settimeout(seconds)
        while True:
            try:
                piece = self._control.recv(1 << 20)
            except TimeoutError:
                raise Refused("", f"its process was not ready after {seconds:.0f} s") from None
            if not piece:
                raise Refused("", f"its process ended with exit code {self._process.wait()}")
            for message, _ in self._frames.feed(piece):
                if "refused" in message:
                    raise Refused(message["refused"], message["why"])
                if "failed" in message:
                    raise Refused("", f"its process failed: {message['failed'].strip().splitlines()[-1]}")
                self._control.settimeout(None)
                answer: dict[str, Any] = message
                return answer

    def fork(self, theirs: socket.socket, told: ForkListener, cells: Sequence[str], *, stays: bool) -> None:
        """Ask for a kernel; it answers over `theirs` as soon as it is there. Raises OSError where the process is gone.

        Kernels that are forked later know what these cells mean.
        One that `stays` is another runner's: it goes on when this pool is closed.
        """
        with self._lock:
            self._count += 1
            number = self._count
            self._kernels[number] = told
            told.signaled_by(lambda signal_number: self.signal(number, signal_number))
            try:
                request = packed({"do": "fork", "number": number, "stays": stays, "cells": cells})
                sent = socket.send_fds(self._control, [request], [theirs.fileno()])
                self._control.sendall(request[sent:])
            except OSError:
                del self._kernels[number]
                raise

    def signal(self, number: int, signal_number: int) -> None:
        """Send a signal to a kernel and the processes it started; nothing where it has ended."""
        with self._lock, contextlib.suppress(OSError):
            self._control.sendall(packed({"do": "signal", "number": number, "signal": signal_number}))

    def is_fit(self) -> bool:
        """Whether it lives, and what it has loaded is what the files say."""
        if not self.alive:
            return False
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            return all(_time_of(path) == when for path, when in self._files.items())
        return True

    def retire(self) -> None:
        """Fork no more; end with the last kernel."""
        with self._lock:
            self._retired = True
            if self._kernels:
                return
        self.close()

    def close(self) -> None:
        """End it and its kernels."""
        self.alive = False
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(subprocess.TimeoutExpired):
            # It may stay for kernels of other runners.
            self._process.wait(5)
        self._control.close()

    def _listen(self) -> None:
        while True:
            try:
                piece = self._control.recv(65536)
            except OSError:
                piece = b""
            if not piece:
                break
            for message, _ in self._frames.feed(piece):
                self._told(message)
        self.alive = False
        with self._lock:
            kernels, self._kernels = list(self._kernels.values()), {}
        for kernel in kernels:
            kernel.left()

    def _told(self, message: dict[str, Any]) -> None:
        number = int(message["forked"] if "forked" in message else message["ended"])
        with self._lock:
            kernel = self._kernels.get(number)
            if "ended" in message:
                self._kernels.pop(number, None)
            last = self._retired and not self._kernels
        if kernel is not None and "forked" in message:
            kernel.forked(message["pid"])
        elif kernel is not None:
            kernel.ended(message["code"])
        if last:
            threading.Thread(target=self.close, name="mlops-warm-close", daemon=True).start()


def _time_of(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _memory(pid: int) -> int:
    import psutil

    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0
