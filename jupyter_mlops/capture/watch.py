"""What a step does to the world while it runs, seen by Python's audit hook: files, folders, network, processes, threads.

The hook is installed once per process and does nothing while no step runs. Native code that opens files itself is not
seen here; `capture.key` takes texts that name files for read, and `analysis.doubts` names the native readers.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink", "os.chmod")
_LISTINGS = ("os.listdir", "os.scandir", "glob.glob")
_PROCESSES = ("subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.spawn")
_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")
_LOGGING = ("mlflow.tracking", "mlflow.store", "mlflow.utils", "mlflow.telemetry", "mlflow.artifacts")
"""Parts of MLflow that act for themselves."""
_HISTORY = "history.sqlite"
_BACKGROUND = ("jupyter-mlops", "IPythonHistory", "MLflow")
"""Threads of ours, of the shell and of MLflow, which begin when they are first needed."""
_HARMLESS_PROGRAMS = {"lscpu"}
"""Programs that libraries ask about the machine, and whose answer no result should depend on."""


@dataclass
class Seen:
    """What was seen of one step: absolute paths, and reasons why its result is not repeatable."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)


class Watch:
    """Watches while it is entered. Background threads that were there before are not the step's."""

    def __init__(self, ignored: tuple[Path, ...] = ()) -> None:
        self.seen = Seen()
        self._ignored = tuple(f"{path}{os.sep}" for path in ignored)
        self._threads_before: set[int] = set()

    def __enter__(self) -> Watch:
        _install()
        self._threads_before = {thread.ident or 0 for thread in threading.enumerate()}
        self._main = threading.get_ident()
        _active.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _active.remove(self)
        left = [
            thread.name
            for thread in threading.enumerate()
            if (thread.ident or 0) not in self._threads_before and thread.is_alive() and not _is_ours(thread)
        ]
        if left:
            self.seen.reasons.append(f"leaves a thread ({left[0]})")

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Take one audit event."""
        identity = threading.get_ident()
        if identity != self._main and identity in self._threads_before:
            return
        if "mlflow" in sys.modules and _by_mlflow():
            return
        if name == "open":
            self._opened(*arguments[:3])
        elif name in _CHANGES:
            for path in arguments[:2]:
                if isinstance(path, (str, bytes, os.PathLike)):
                    self._wrote(_absolute(path))
        elif name in _LISTINGS:
            if not _by_import() and (arguments[0] is None or not isinstance(arguments[0], int)):
                self._read(_absolute(arguments[0] or "."))
        elif name in _PROCESSES:
            program = os.path.basename(str(arguments[0])) if arguments else name
            if program not in _HARMLESS_PROGRAMS:
                self.seen.reasons.append(f"starts a process ({program})")
        elif name in _NETWORK:
            self.seen.reasons.append("talks to the network")
        elif name == "sqlite3.connect":
            path = _absolute(arguments[0]) if str(arguments[0]) != ":memory:" else ""
            if path and not path.startswith(self._ignored) and os.path.basename(path) != _HISTORY:
                self.seen.reasons.append(f"reads a database ({os.path.basename(path)})")

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int) or path is None or _by_import():
            return
        absolute = _absolute(path)
        if isinstance(flags, int) and flags & _WRITE_FLAGS:
            self._wrote(absolute)
        else:
            self._read(absolute)

    def _read(self, path: str) -> None:
        if not path.startswith((*self._ignored, *_library_folders(), "/proc/", "/sys/", "/dev/")):
            self.seen.reads.add(path)

    def _wrote(self, path: str) -> None:
        if not path.startswith((*self._ignored, "/dev/", "/proc/")) and "__pycache__" not in path:
            self.seen.writes.add(path)


_active: list[Watch] = []
_EVENTS = frozenset({"open", "sqlite3.connect", *_CHANGES, *_LISTINGS, *_PROCESSES, *_NETWORK})


def _hook(name: str, arguments: tuple[Any, ...]) -> None:
    if _active and name in _EVENTS:
        _active[-1].event(name, arguments)


@lru_cache(maxsize=1)
def _install() -> None:
    sys.addaudithook(_hook)


def _absolute(path: Any) -> str:
    return os.path.abspath(os.fsdecode(path))


@lru_cache(maxsize=1)
def _library_folders() -> tuple[str, ...]:
    """Folders of the interpreter and its packages: the package versions in the key stand for their files."""
    import site

    folders = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), site.getusersitepackages()}
    return tuple(sorted(f"{os.path.abspath(folder)}{os.sep}" for folder in folders if folder and folder != "/"))


def is_library_file(path: str) -> bool:
    """Whether a file belongs to the interpreter or an installed package."""
    return os.path.abspath(path).startswith(_library_folders())


def _by_import() -> bool:
    """Whether Python's import system is what opens or lists: modules are keyed on their own."""
    frame = sys._getframe(2)
    for _ in range(6):
        if frame is None:
            return False
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _by_mlflow() -> bool:
    """Whether MLflow is what acts: logging tells of a step, it is no part of its result.

    The innermost of MLflow's frames decides: under autologging it calls the user's own code again.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == "mlflow":
            return module.startswith(_LOGGING) and not module.startswith("mlflow.utils.autologging_utils")
        frame = frame.f_back
    return False


def _is_ours(thread: threading.Thread) -> bool:
    """Whether a thread is ours or the kernel's: zmq starts one of its own to send the first large message."""
    return thread.name.startswith(_BACKGROUND) or type(thread).__module__.partition(".")[0] in ("zmq", "ipykernel")
