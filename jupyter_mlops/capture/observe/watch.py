"""What a step does to the world while it runs, seen by Python's audit hook: files, folders, network, processes, threads.

The hook is installed once per process and does nothing while no step runs. Native code that opens files itself is not
seen here; `capture.key.examination` takes texts that name files for read, and `analysis.code.doubts` names the native
readers.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from jupyter_mlops.capture.observe import stdlib_hooks
from jupyter_mlops.capture.observe.threads import ConcurrentWork, is_worker
from jupyter_mlops.capture.origin.calls import (
    LIBRARY,
    by_mlflow,
    by_rmtree,
    by_writer,
    importing,
    is_entropy_of_a_library,
    is_library_file,
    may_exist,
)
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.secrets.known import CONDITION, KNOWN
from jupyter_mlops.store.files.digests import EXISTS, file_digest
from jupyter_mlops.store.files.installed import looking

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LISTINGS = ("os.listdir", "os.scandir")
_CHANGES = (
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.rename",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.symlink",
)
_PROCESSES = ("subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.spawn")
_NETWORK = (
    *("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"),
    *("urllib.Request", "http.client.connect", "http.client.send"),
)
_OUR_THREADS = "jupyter-mlops"
"""How the names of our own threads begin; they may start while a step runs."""
_HISTORY = "history.sqlite"
_HARMLESS_PROGRAMS = {"lscpu", "fc-list", "system_profiler"}
"""Programs that libraries ask about the machine, and whose answer no result should depend on."""
_DEVICES = (
    "/proc/",
    "/sys/",
    *(f"/dev/{name}" for name in ("null", "zero", "random", "urandom", "tty", "pts", "fd", "std")),
)
_NATIVE = {
    *("pyarrow.parquet", "pyarrow.dataset", "pyarrow.csv", "pyarrow.feather", "pyarrow.orc", "pyarrow.fs", "h5py"),
    *("tables", "netCDF4", "cv2", "polars", "duckdb", "rasterio", "pyogrio", "fiona", "osgeo", "zarr", "xgboost"),
    *("lightgbm", "catboost", "tensorflow", "torchaudio", "torchvision", "soundfile", "av", "pyreadr", "pyreadstat"),
    *("fastparquet", "deltalake", "lance", "imageio_ffmpeg", "decord"),
}


def native_libraries() -> set[str]:
    """Which libraries are loaded whose native code opens files without Python's knowing."""
    return {name for name in _NATIVE if name in sys.modules}


__all__ = ["Seen", "StepWatch", "begin", "import_reads", "is_library_file", "native_libraries"]


@dataclass
class Seen:
    """What was seen of one step: absolute paths, and reasons why its result is not repeatable.

    `writes` are files and folders made or written; `appends` those of them whose earlier content counts. `looked` has,
    for each question about what files there are, the answer at the time: a path (with `store.files.digests.EXISTS` in front
    where only its being there was asked for) → what `file_digest` gave. Files that were read or kept before they were
    written are among them, with their earlier content.
    """

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    appends: set[str] = field(default_factory=set)
    looked: dict[str, str] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    behind: str = ""
    """What of the notebook's goes on, or is due, when the step has ended."""


class StepWatch:
    """Watches while it is entered. Threads that were there before are not the step's, but for those of pools."""

    def __init__(self, ignored: tuple[Path, ...] = ()) -> None:
        self.seen = Seen()
        self._ignored = tuple(f"{path}{os.sep}" for path in ignored)
        self._made: set[str] = set()
        self._asked: set[str] = set()
        self._status: dict[str, tuple[int, ...] | None] = {}
        self._beside: ConcurrentWork | None = None
        """What goes on beside the step; None before it begins."""
        self._main = 0
        """The thread that it runs in."""
        self._busy: set[int] = set()
        """Threads in which an event is looked at: what we do there is not the step's."""
        self._events: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "open": lambda arguments: self._opened(*arguments[:3]),
            "os.mkdir": lambda arguments: self._folder_made(self._at(arguments[0], arguments[2])),
            "os.remove": lambda arguments: self._removed(self._at(arguments[0], arguments[1])),
            "os.rmdir": lambda arguments: self._removed(self._at(arguments[0], arguments[1])),
            "os.rename": self._renamed,
            "os.truncate": lambda arguments: self._wrote(self._at(arguments[0], -1), appends=True),
            "os.chmod": lambda arguments: self._altered(arguments[0], ReasonCode.CHANGES_MODE),
            "os.chown": lambda arguments: self._altered(arguments[0], ReasonCode.CHANGES_OWNER),
            "os.link": lambda arguments: self._linked(arguments[1], ReasonCode.MAKES_LINK),
            "os.symlink": lambda arguments: self._linked(arguments[1], ReasonCode.MAKES_LINK),
            "os.mkfifo": lambda arguments: self._linked(arguments[0], ReasonCode.MAKES_PIPE),
            "sqlite3.connect": lambda arguments: self._database(arguments[0]),
            **dict.fromkeys(_LISTINGS, self._listed),
            **{name: partial(self._process, name) for name in _PROCESSES},
            **dict.fromkeys(_NETWORK, lambda _: self._doubt(ReasonCode.NETWORK)),
        }

    def __enter__(self) -> StepWatch:
        begin()
        self._beside = ConcurrentWork()
        self._main = threading.get_ident()
        _active.append(self)
        stdlib_hooks.tell(self._told)
        return self

    def __exit__(self, *_: object) -> None:
        if self not in _active:  # it has ended, or its begin was interrupted
            return
        stdlib_hooks.quiet(self._told)
        _active.remove(self)
        if self._beside is not None:
            self.seen.reasons += self._beside.reasons()
            self.seen.behind = self._beside.behind
        self._compare()
        for path in [path for path in self._made if not os.path.lexists(path)]:  # came and went within the step
            self.seen.writes.discard(path)
            self.seen.appends.discard(path)
            self.seen.reads.discard(path)
            self.seen.looked.pop(EXISTS + path, None)

    def _compare(self) -> None:
        """Find files that native code wrote after Python looked for them, and drop what need not be asked again."""
        for path, before in self._status.items():
            now = _status(path)
            if now is not None and now != before:
                self._wrote(path)
            if path in self.seen.writes and path not in self._asked:
                self.seen.looked.pop(EXISTS + path, None)  # it only looked whether it is about to overwrite

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Take one audit event."""
        if self._is_ours() or (name in _CHANGES and importing() == LIBRARY):
            return
        identity = threading.get_ident()
        self._busy.add(identity)
        try:
            self._events[name](arguments)
        finally:
            self._busy.discard(identity)

    def _is_ours(self) -> bool:
        identity = threading.get_ident()
        if identity in self._busy or identity in KNOWN.looking:
            return True
        if identity != self._main:
            thread = threading.current_thread()
            if thread.name.startswith(_OUR_THREADS) or (self._was_there(identity) and not is_worker(thread)):
                return True
        return "mlflow" in sys.modules and by_mlflow()

    def _was_there(self, thread: int) -> bool:
        return self._beside is not None and thread in self._beside.threads

    def _told(self, kind: str, path: object) -> None:
        """Take a call of `capture.observe.stdlib_hooks`."""
        if self._is_ours() or importing() == LIBRARY:
            return
        identity = threading.get_ident()
        self._busy.add(identity)
        try:
            if kind == "entropy":
                if is_entropy_of_a_library():
                    self._doubt(ReasonCode.ENTROPY)
            elif kind == "lent":
                self._doubt(ReasonCode.LENT_TO_THREAD, "asyncio.run_coroutine_threadsafe")
            elif not may_exist():
                absolute = _absolute(path)
                self._looked(EXISTS, absolute)
                self._status.setdefault(absolute, _status(absolute))
                if not by_writer():
                    self._asked.add(absolute)
                elif native_libraries() and os.path.isfile(absolute):
                    self._read(absolute)  # what the library asks for, its native code may read
        finally:
            self._busy.discard(identity)

    def _opened(self, path: object, mode: object, flags: object) -> None:
        if isinstance(path, int) or path is None or importing() == LIBRARY or by_rmtree():
            return
        absolute = _absolute(path)
        if not (isinstance(flags, int) and flags & _WRITE_FLAGS):
            self._read(absolute)
            return
        if os.path.isdir(absolute):
            return  # a file without a name, which goes with the step
        created = not os.path.lexists(absolute)
        keeps = not flags & os.O_TRUNC
        if created:
            if self._is_the_worlds(absolute, write=True) and (keeps or flags & os.O_EXCL):
                self.seen.looked.setdefault(EXISTS + absolute, file_digest(EXISTS + absolute))
            self._made.add(absolute)
        elif (keeps or absolute in self.seen.reads) and self._is_new_here(absolute):
            self.seen.looked.setdefault(absolute, file_digest(absolute))
        self._wrote(absolute, appends=keeps and not created and absolute not in self.seen.writes)

    def _read(self, path: str) -> None:
        own = path in self.seen.writes and path not in self.seen.appends
        if not own and self._is_the_worlds(path):
            self.seen.reads.add(path)

    def _wrote(self, path: str, *, appends: bool = False) -> None:
        if self._is_the_worlds(path, write=True) and "__pycache__" not in path:
            self.seen.writes.add(path)
            if appends:
                self.seen.appends.add(path)

    def _is_the_worlds(self, path: str, *, write: bool = False) -> bool:
        """Whether a path is neither ours nor, for reading, a library's or a device's."""
        if os.path.basename(path).startswith(("fontlist-v", ".matplotlib-lock")):
            return False  # matplotlib's own memory of the machine's fonts
        return not path.startswith((*self._ignored, *_DEVICES)) and (write or not is_library_file(path))

    def _is_new_here(self, path: str) -> bool:
        return path not in self.seen.writes and self._is_the_worlds(path, write=True)

    def _looked(self, mark: str, path: str) -> None:
        if self._is_the_worlds(path) and path not in self._made and path not in self.seen.writes:
            asked = mark + path
            if asked not in self.seen.looked:
                self.seen.looked[asked] = file_digest(asked)

    def _listed(self, arguments: tuple[Any, ...]) -> None:
        if not isinstance(arguments[0], int) and importing() != LIBRARY and not by_rmtree():
            path = _absolute(arguments[0] or ".")
            if self._is_the_worlds(path) and path not in self.seen.looked and path not in self._made:
                self.seen.looked[path] = file_digest(path)

    def _folder_made(self, path: str) -> None:
        if os.path.lexists(path):
            if not may_exist():
                self._looked(EXISTS, path)
            if not os.path.isdir(path):
                return
        else:
            if not may_exist():
                self._looked(EXISTS, path)
            self._made.add(path)
        self._wrote(path)

    def _removed(self, path: str) -> None:
        if not os.path.lexists(path):
            self._looked(EXISTS, path)
        elif path not in self._made and self._is_the_worlds(path, write=True):
            self._looked(EXISTS, path)
            self.seen.writes.add(path)
            self._doubt(ReasonCode.REMOVES_FILES, os.path.basename(path))

    def _renamed(self, arguments: tuple[Any, ...]) -> None:
        source, target = self._at(arguments[0], arguments[2]), self._at(arguments[1], arguments[3])
        if source not in self._made and self._is_the_worlds(source, write=True):
            self.seen.writes.add(source)
            self._doubt(ReasonCode.MOVES_FILES, os.path.basename(source))
        if os.path.isdir(source) and os.listdir(source):
            inside = f"{source}{os.sep}"
            for path in [path for path in self.seen.writes if path.startswith(inside)]:
                self._wrote(target + path[len(source) :])
        if not os.path.lexists(target):
            self._made.add(target)
        self._wrote(target)

    def _altered(self, path: object, code: ReasonCode) -> None:
        if isinstance(path, int):
            return
        absolute = _absolute(path)
        if absolute not in self.seen.writes and self._is_the_worlds(absolute, write=True):
            self.seen.writes.add(absolute)
            self._doubt(code, os.path.basename(absolute))

    def _linked(self, path: object, code: ReasonCode) -> None:
        absolute = _absolute(path)
        if self._is_the_worlds(absolute, write=True):
            self.seen.writes.add(absolute)
            self._doubt(code, os.path.basename(absolute))

    def _process(self, name: str, arguments: tuple[Any, ...]) -> None:
        program = os.path.basename(os.fsdecode(arguments[0])) if _is_path(arguments) else name
        if program not in _HARMLESS_PROGRAMS:
            self._doubt(ReasonCode.PROCESS, program)

    def _database(self, name: object) -> None:
        path = _absolute(name) if name not in (":memory:", b":memory:") else ""  # bytes before Python 3.11
        if path and not path.startswith(self._ignored) and os.path.basename(path) != _HISTORY:
            self._doubt(ReasonCode.DATABASE, os.path.basename(path))

    def _doubt(self, code: ReasonCode, detail: str = "") -> None:
        self.seen.reasons.append(Reason(code, detail))

    def _at(self, path: Any, folder: object) -> str:
        """An absolute path, also where it is told from an open folder."""
        if isinstance(folder, int) and folder >= 0 and not os.path.isabs(path):
            try:
                return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), os.fsdecode(path))
            except OSError:
                self._doubt(ReasonCode.UNTOLD_FOLDER)
        return _absolute(path)


class Unneeded(StepWatch):
    """In the place of a watch over what can do nothing to the world."""

    def __init__(self) -> None:
        self.seen = Seen()

    def __enter__(self) -> StepWatch:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to end."""


_active: list[StepWatch] = []
_EVENTS = frozenset(StepWatch()._events)


def _hook(name: str, arguments: tuple[Any, ...]) -> None:
    if looking and threading.get_ident() in looking:
        return
    if name == "open":
        _note_import(arguments)
    if _active and name in _EVENTS:
        _active[-1].event(name, arguments)


@lru_cache(maxsize=1)
def begin() -> None:
    """Install the hook: before the first cell, so that what modules read while they are imported is known."""
    sys.addaudithook(_hook)
    KNOWN.when_asked(_note_secret)


def _is_path(arguments: tuple[Any, ...]) -> bool:
    return bool(arguments) and isinstance(arguments[0], (str, bytes, os.PathLike))


def _absolute(path: Any) -> str:
    return os.path.abspath(os.fsdecode(path))


import_reads: dict[str, set[str]] = {}
"""Local module → files that it read while it was imported. They are part of what it holds."""


def _note_import(arguments: tuple[Any, ...]) -> None:
    """Keep in mind what local modules read while they are imported, also between steps."""
    path = arguments[0]
    if isinstance(path, (str, bytes, os.PathLike)) and threading.get_ident() not in KNOWN.looking:
        module = importing()
        absolute = _absolute(path) if module else ""
        if module and not absolute.startswith(_DEVICES) and not is_library_file(absolute):
            import_reads.setdefault(module, set()).add(absolute)


def _note_secret(name: str) -> None:
    """A secret that a local module asks for while it is imported is part of what it holds, as are files."""
    module = importing()
    if module and module != LIBRARY:
        import_reads.setdefault(module, set()).add(CONDITION + name)


def _status(path: str) -> tuple[int, ...] | None:
    """What changes when a file is written; None where there is no file."""
    if not os.path.isfile(path):
        return None
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size, status.st_ino
