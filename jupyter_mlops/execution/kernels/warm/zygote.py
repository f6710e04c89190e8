"""A process that has shell and imports ready, and forks a kernel for each job. It has one thread, and never runs a cell."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import linecache
import logging
import os
import selectors
import signal
import socket
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from jupyter_mlops.execution.kernels.warm.hidden import Hidden
from jupyter_mlops.execution.kernels.warm.learned import Learned
from jupyter_mlops.execution.kernels.warm.rehearsal import empty_history, import_ours, know, rehearse
from jupyter_mlops.execution.kernels.warm.wire import Frames, packed, receive_first

HARMLESS = ("jemalloc_bg_thd",)
"""Native threads that a fork does not harm: their library starts them anew in the child (measured: pyarrow's allocator)."""


def main() -> None:
    """Make ready, tell so, and fork for each request. The first argument is the descriptor to the pool."""
    descriptor, names = int(sys.argv[1]), json.loads(sys.argv[2])
    sys.path[:] = [path for path in sys.path if path not in ("", os.getcwd())]
    # Since Python 3.13 the source of `python -c` is shown for whatever is called "<string>".
    for kept in (linecache.cache, getattr(linecache, "_interactive_cache", {})):
        kept.clear()
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    complaints = os.dup(2)
    try:
        zygote = Zygote(control, complaints)
        refused = zygote.prepare(names)
    except BaseException:
        control.sendall(packed({"failed": traceback.format_exc(limit=-3)}))
        raise
    if refused is not None:
        control.sendall(packed(refused))
        return
    control.sendall(packed({**zygote.loaded(), "language_info": zygote.app.kernel.language_info}))
    zygote.serve()


_Own: TypeAlias = tuple[selectors.BaseSelector, int, int]
"""What belongs to the process that forks, and to none that is forked: its selector, the ends of the pipe that wakes it."""
INLINE = "module://matplotlib_inline.backend_inline"


class Zygote:
    """Knows the kernels it has forked by the numbers they were asked for with."""

    learned: Learned
    """Once it is prepared."""

    def __init__(self, control: socket.socket, complaints: int) -> None:
        self.control = control
        self.complaints = complaints
        self.hidden = Hidden()
        self.shell_environment: dict[str, str | None] = {}
        self.app: Any = None
        self.life: Any = None
        """The module that is a fork's, loaded before it."""
        self._children: dict[int, int] = {}
        self._staying: set[int] = set()
        """Kernels that go on when the pool is gone."""
        self._libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def prepare(self, names: list[str]) -> dict[str, Any] | None:
        """Load all; what must not be loaded ahead, if anything, with the reason."""
        import_ours()
        with _below() as written:
            before = dict(os.environ)
            from jupyter_mlops.execution.kernels.warm import life, shell

            self.life = life
            self.app = shell.make_app()
            changed = {key for key in {*before, *os.environ} if before.get(key) != os.environ.get(key)}
            self.shell_environment = {key: os.environ.get(key) for key in changed}
            rehearse(self.app.shell)
            threads = foreign_threads()
            if threads:
                return {"refused": "", "why": f"threads are running after the start: {', '.join(threads)}"}
            here = sys.path.index("") if "" in sys.path else None
            if here is not None:
                del sys.path[here]
            # What ipykernel sets before any import: matplotlib takes it over when it is imported.
            os.environ["MPLBACKEND"] = os.environ.get("MPLBACKEND") or INLINE
            for name in names:
                state = _surroundings()
                try:
                    self.hidden.load(name)
                except Exception as error:  # noqa: BLE001 - a module's import may raise anything
                    return {"refused": name, "why": f"its import raises {type(error).__name__}"}
                why = self._objection(state, written())
                if why:
                    return {"refused": name, "why": why}
        if here is not None:
            sys.path.insert(here, "")
        self.hidden.hide()
        know(names, self.hidden.out_of_sight())
        empty_history(self.app.shell)
        self.learned = Learned(self.app.shell)
        gc.collect()
        gc.freeze()
        return None

    def _objection(self, state: tuple[Any, ...], written: bool) -> str:
        threads = foreign_threads()
        if threads:
            return f"its import starts threads ({', '.join(threads)})"
        shown = any(getattr(stream, "_buffers", None) for stream in (sys.stdout, sys.stderr))
        if written or shown:
            return "its import writes or warns"
        if _surroundings() != state:
            return "its import changes signals, logging or hooks of the process"
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            return "its import opens the GPU"
        return ""

    def loaded(self) -> dict[str, Any]:
        """The names that were loaded ahead, and all files with their times: where one changes, this is out of date."""
        found = {}
        for module in self.hidden.modules():
            path = getattr(module, "__file__", None)
            if isinstance(path, str):
                with contextlib.suppress(OSError):
                    found[path] = os.stat(path).st_mtime_ns
        return {"names": sorted(self.hidden.names), "files": found}

    def serve(self) -> None:
        """Until the pool goes away."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        selector = selectors.DefaultSelector()
        selector.register(self.control, selectors.EVENT_READ)
        selector.register(reading, selectors.EVENT_READ)
        frames, descriptors = Frames(), []
        while True:
            for key, _ in selector.select():
                if key.fileobj is reading:
                    with contextlib.suppress(BlockingIOError):
                        os.read(reading, 4096)
                    self._reap()
                    continue
                try:
                    data, received, _, _ = socket.recv_fds(self.control, 65536, 16)
                except ConnectionResetError:
                    data, received = b"", []
                if not data:
                    self._end_all()
                    return
                descriptors += received
                for message, _ in frames.feed(data):
                    self._do(message, descriptors, (selector, reading, writing))

    def _do(self, message: dict[str, Any], descriptors: list[int], own: _Own) -> None:
        if message["do"] == "fork":
            self._fork(message, descriptors.pop(0), own)
            if self.learned.learn(message["cells"]):
                gc.freeze()
        elif message["do"] == "signal":
            for pid, number in self._children.items():
                if number == message["number"]:
                    _signal(pid, message["signal"])

    def _fork(self, message: dict[str, Any], descriptor: int, own: _Own) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pid = os.fork()
        if pid:
            os.close(descriptor)
            self._children[pid] = message["number"]
            if message["stays"]:
                self._staying.add(pid)
            self._say({"forked": message["number"], "pid": pid})
            return
        code = 1
        try:
            self._live(descriptor, own)
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, a forked process must not go on as the one it came from
            os.write(self.complaints, traceback.format_exc().encode())
        finally:
            os._exit(code)

    def _live(self, descriptor: int, own: _Own) -> None:
        """A kernel's whole life, in the forked process."""
        selector, *pipes = own
        parent = os.getppid()
        if self._libc is not None:
            self._libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            if os.getppid() != parent:
                return
        connection = socket.socket(fileno=descriptor)
        connection.set_inheritable(False)
        frames = Frames()
        messages = receive_first(connection, frames)
        if not messages:
            return
        self.life.prepare_process(messages.pop(0)[0], self.shell_environment)
        selector.close()
        self.control.close()
        for pipe in pipes:
            os.close(pipe)
        life = self.life.Life(self.app, connection, frames, messages, self.hidden.find)
        life.begin()
        life.run()
        life.end()

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            number = self._children.pop(pid, None)
            if number is not None:
                self._say({"ended": number, "code": os.waitstatus_to_exitcode(status)})

    def _say(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self.control.sendall(packed(message))

    def _end_all(self) -> None:
        for pid in self._children.keys() - self._staying:
            _signal(pid, signal.SIGKILL)
        for pid in self._children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _signal(pid: int, number: int) -> None:
    """To the kernel and the processes it started; before it has a group of its own, to itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def foreign_threads() -> list[str]:
    """Threads besides this one that a fork would lose, after those are gone that end themselves before a fork."""
    python = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if python or len(_native_threads()) <= 1:
        return python
    # OpenBLAS ends its threads when the process forks, and starts them again where they are needed.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return [name for name in _native_threads()[1:] if name not in HARMLESS]


def _native_threads() -> list[str]:
    found = []
    for task in sorted(Path("/proc/self/task").iterdir(), key=lambda path: int(path.name)):
        with contextlib.suppress(OSError):
            found.append((task / "comm").read_text().strip())
    return found


def _surroundings() -> tuple[Any, ...]:
    """What an import may change of the process that would be there too early."""
    import builtins

    root = logging.getLogger()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGSEGV)
    hooks = (sys.excepthook, sys.breakpointhook, sys.displayhook, sys.stdout, sys.stderr, sys.getrecursionlimit())
    return (*map(signal.getsignal, numbers), *hooks, root.level, tuple(root.handlers), len(vars(builtins)), os.getcwd())


class _below:
    """While it is open, what is written to descriptors 1 and 2 goes to a file; gives a function: whether there is any."""

    def __enter__(self) -> Callable[[], bool]:
        self._file = tempfile.TemporaryFile()
        self._before = [os.dup(1), os.dup(2)]
        for descriptor in (1, 2):
            os.dup2(self._file.fileno(), descriptor)
        return lambda: os.fstat(self._file.fileno()).st_size > 0

    def __exit__(self, *_: object) -> None:
        for descriptor, copy in zip((1, 2), self._before, strict=True):
            os.dup2(copy, descriptor)
            os.close(copy)
        self._file.close()
