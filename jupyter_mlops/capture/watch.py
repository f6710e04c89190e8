"""What a step does to the world while it runs, seen by Python's audit hook: files, folders, network, processes, threads.

The hook is installed once per process and does nothing while no step runs. Native code that opens files itself is not
seen here; `capture.key` takes texts that name files for read, and `analysis.doubts` names the native readers.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from types import FrameType
from typing import Any

from jupyter_mlops.capture import swapped
from jupyter_mlops.capture.threads import Beside
from jupyter_mlops.store.digests import EXISTS, file_digest

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LISTINGS = ("os.listdir", "os.scandir")
_PROCESSES = ("subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.spawn")
_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")
_LOGGING = ("mlflow.tracking", "mlflow.store", "mlflow.utils", "mlflow.telemetry", "mlflow.artifacts")
"""Parts of MLflow that act for themselves."""
_HISTORY = "history.sqlite"
_HARMLESS_PROGRAMS = {"lscpu"}
"""Programs that libraries ask about the machine, and whose answer no result should depend on."""
_DEVICES = ("/proc/", "/sys/", "/dev/")
_NATIVE = {
    *("pyarrow.parquet", "pyarrow.dataset", "pyarrow.csv", "pyarrow.feather", "pyarrow.orc", "pyarrow.fs", "h5py"),
    *("tables", "netCDF4", "cv2", "polars", "duckdb", "rasterio", "pyogrio", "fiona", "osgeo", "zarr", "xgboost"),
    *("lightgbm", "catboost", "tensorflow", "torchaudio", "torchvision", "soundfile", "av", "pyreadr", "pyreadstat"),
    *("fastparquet", "deltalake", "lance", "imageio_ffmpeg", "decord"),
}


def native_libraries() -> set[str]:
    """Which libraries are loaded whose native code opens files without Python's knowing."""
    return {name for name in _NATIVE if name in sys.modules}


@dataclass
class Seen:
    """What was seen of one step: absolute paths, and reasons why its result is not repeatable.

    `writes` are files and folders made or written; `appends` those of them whose earlier content counts. `looked` has,
    for each question about what files there are, the answer at the time: a path (with `store.digests.EXISTS` in front
    where only its being there was asked for) → what `file_digest` gave. Files that were read or kept before they were
    written are among them, with their earlier content.
    """

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    appends: set[str] = field(default_factory=set)
    looked: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


class Watch:
    """Watches while it is entered. Background threads that were there before are not the step's."""

    def __init__(self, ignored: tuple[Path, ...] = ()) -> None:
        self.seen = Seen()
        self._ignored = tuple(f"{path}{os.sep}" for path in ignored)
        self._made: set[str] = set()
        self._busy = False
        self._events: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "open": lambda arguments: self._opened(*arguments[:3]),
            "os.mkdir": lambda arguments: self._folder_made(self._at(arguments[0], arguments[2])),
            "os.remove": lambda arguments: self._removed(self._at(arguments[0], arguments[1])),
            "os.rmdir": lambda arguments: self._removed(self._at(arguments[0], arguments[1])),
            "os.rename": self._renamed,
            "os.truncate": lambda arguments: self._wrote(self._at(arguments[0], -1), appends=True),
            "os.chmod": lambda arguments: self._altered(arguments[0], "the mode of a file"),
            "os.chown": lambda arguments: self._altered(arguments[0], "the owner of a file"),
            "os.link": lambda arguments: self._linked(arguments[1], "a link"),
            "os.symlink": lambda arguments: self._linked(arguments[1], "a link"),
            "os.mkfifo": lambda arguments: self._linked(arguments[0], "a pipe"),
            "sqlite3.connect": lambda arguments: self._database(arguments[0]),
            **dict.fromkeys(_LISTINGS, self._listed),
            **{name: partial(self._process, name) for name in _PROCESSES},
            **dict.fromkeys(_NETWORK, lambda _: self.seen.reasons.append("talks to the network")),
        }

    def __enter__(self) -> Watch:
        begin()
        self._beside = Beside()
        self._main = threading.get_ident()
        _active.append(self)
        swapped.tell(self._told)
        return self

    def __exit__(self, *_: object) -> None:
        swapped.quiet(self._told)
        _active.remove(self)
        self.seen.reasons += self._beside.reasons()
        for path in [path for path in self._made if not os.path.lexists(path)]:  # came and went within the step
            self.seen.writes.discard(path)
            self.seen.appends.discard(path)
            self.seen.reads.discard(path)
            self.seen.looked.pop(EXISTS + path, None)

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Take one audit event."""
        if self._is_ours():
            return
        self._busy = True
        try:
            self._events[name](arguments)
        finally:
            self._busy = False

    def _is_ours(self) -> bool:
        identity = threading.get_ident()
        if self._busy or (identity != self._main and identity in self._beside.threads):
            return True
        return "mlflow" in sys.modules and _by_mlflow()

    def _told(self, kind: str, path: Any) -> None:
        """Take a call of `capture.swapped`."""
        if self._is_ours() or _importing() == _LIBRARY:
            return
        self._busy = True
        try:
            if kind == "entropy":
                if _is_entropy_of_a_library():
                    self.seen.reasons.append("draws fresh entropy")
            elif not _may_exist():
                self._looked(EXISTS, _absolute(path))
        finally:
            self._busy = False

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int) or path is None or _importing() == _LIBRARY or _by_rmtree():
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
        return not path.startswith(
            (*self._ignored, *(("/dev/", "/proc/") if write else (*_library_folders(), *_DEVICES)))
        )

    def _is_new_here(self, path: str) -> bool:
        return path not in self.seen.writes and self._is_the_worlds(path, write=True)

    def _looked(self, mark: str, path: str) -> None:
        if self._is_the_worlds(path) and path not in self._made and path not in self.seen.writes:
            asked = mark + path
            if asked not in self.seen.looked:
                self.seen.looked[asked] = file_digest(asked)

    def _listed(self, arguments: tuple[Any, ...]) -> None:
        if not isinstance(arguments[0], int) and _importing() != _LIBRARY and not _by_rmtree():
            path = _absolute(arguments[0] or ".")
            if self._is_the_worlds(path) and path not in self.seen.looked and path not in self._made:
                self.seen.looked[path] = file_digest(path)

    def _folder_made(self, path: str) -> None:
        if os.path.lexists(path):
            if not _may_exist():
                self._looked(EXISTS, path)
            if not os.path.isdir(path):
                return
        else:
            if not _may_exist():
                self._looked(EXISTS, path)
            self._made.add(path)
        self._wrote(path)

    def _removed(self, path: str) -> None:
        if not os.path.lexists(path):
            self._looked(EXISTS, path)
        elif path not in self._made and self._is_the_worlds(path, write=True):
            self._looked(EXISTS, path)
            self.seen.writes.add(path)
            self.seen.reasons.append(f"removes files ({os.path.basename(path)})")

    def _renamed(self, arguments: tuple[Any, ...]) -> None:
        source, target = self._at(arguments[0], arguments[2]), self._at(arguments[1], arguments[3])
        if source not in self._made and self._is_the_worlds(source, write=True):
            self.seen.writes.add(source)
            self.seen.reasons.append(f"moves files ({os.path.basename(source)})")
        if os.path.isdir(source) and os.listdir(source):
            inside = f"{source}{os.sep}"
            for path in [path for path in self.seen.writes if path.startswith(inside)]:
                self._wrote(target + path[len(source) :])
        if not os.path.lexists(target):
            self._made.add(target)
        self._wrote(target)

    def _altered(self, path: Any, what: str) -> None:
        if isinstance(path, int):
            return
        absolute = _absolute(path)
        if absolute not in self.seen.writes and self._is_the_worlds(absolute, write=True):
            self.seen.writes.add(absolute)
            self.seen.reasons.append(f"changes {what} ({os.path.basename(absolute)})")

    def _linked(self, path: Any, what: str) -> None:
        absolute = _absolute(path)
        if self._is_the_worlds(absolute, write=True):
            self.seen.writes.add(absolute)
            self.seen.reasons.append(f"makes {what} ({os.path.basename(absolute)})")

    def _process(self, name: str, arguments: tuple[Any, ...]) -> None:
        program = os.path.basename(os.fsdecode(arguments[0])) if _is_path(arguments) else name
        if program not in _HARMLESS_PROGRAMS:
            self.seen.reasons.append(f"starts a process ({program})")

    def _database(self, name: Any) -> None:
        path = _absolute(name) if str(name) != ":memory:" else ""
        if path and not path.startswith(self._ignored) and os.path.basename(path) != _HISTORY:
            self.seen.reasons.append(f"reads a database ({os.path.basename(path)})")

    def _at(self, path: Any, folder: Any) -> str:
        """An absolute path, also where it is told from an open folder."""
        if isinstance(folder, int) and folder >= 0 and not os.path.isabs(path):
            try:
                return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), os.fsdecode(path))
            except OSError:
                self.seen.reasons.append("changes files of a folder that cannot be told")
        return _absolute(path)


_active: list[Watch] = []
_EVENTS = frozenset(Watch()._events)


def _hook(name: str, arguments: tuple[Any, ...]) -> None:
    if name == "open":
        _note_import(arguments)
    if _active and name in _EVENTS:
        _active[-1].event(name, arguments)


@lru_cache(maxsize=1)
def begin() -> None:
    """Install the hook: before the first cell, so that what modules read while they are imported is known."""
    sys.addaudithook(_hook)


def _is_path(arguments: tuple[Any, ...]) -> bool:
    return bool(arguments) and isinstance(arguments[0], (str, bytes, os.PathLike))


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


_IMPORTING = tuple(os.path.join("importlib", name) for name in ("metadata", "resources", "_bootstrap"))
_OURS = __name__.partition(".")[0] + "."
_LIBRARY = ""
import_reads: dict[str, set[str]] = {}
"""Local module → files that it read while it was imported. They are part of what it holds."""


@lru_cache(maxsize=4096)
def _is_library_code(file: str) -> bool:
    return file.startswith("<") or is_library_file(file)


def _importing() -> str | None:
    """The local module whose import acts; `_LIBRARY` where it is a library's, or the import system itself; else None."""
    frame: FrameType | None = sys._getframe(2)
    local = _LIBRARY
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(("<frozen importlib", "<frozen zipimport")) or any(part in file for part in _IMPORTING):
            return local
        name = frame.f_globals.get("__name__")
        if name == "__main__":
            return None
        if not local and not _is_library_code(file) and not str(name).startswith(_OURS):
            local = str(name)
        frame = frame.f_back
    return None


def _note_import(arguments: tuple[Any, ...]) -> None:
    """Keep in mind what local modules read while they are imported, also between steps."""
    path = arguments[0]
    if isinstance(path, (str, bytes, os.PathLike)):
        module = _importing()
        absolute = _absolute(path) if module else ""
        if module and not absolute.startswith((*_library_folders(), *_DEVICES)):
            import_reads.setdefault(module, set()).add(absolute)


def _frames(count: int) -> list[FrameType]:
    found: list[FrameType] = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and len(found) < count:
        found.append(frame)
        frame = frame.f_back
    return found


def _by_rmtree() -> bool:
    """Whether a whole folder is being removed: what is removed is told one by one."""
    return any(frame.f_code.co_name.startswith("_rmtree") for frame in _frames(6))


def _may_exist() -> bool:
    """Whether the folder that is being made may be there already, by the caller's own word."""
    for frame in _frames(8):
        if frame.f_code.co_name in ("makedirs", "mkdir") and "exist_ok" in frame.f_code.co_varnames:
            return bool(frame.f_locals.get("exist_ok"))
    return False


_COPYING = ("copy", "pickle", "_pickle", "cloudpickle", "joblib", "dill", "tempfile", "uuid", "IPython", "ipykernel")


def _is_entropy_of_a_library() -> bool:
    """Whether a library makes an unseeded generator for itself; `analysis` tells of the notebook's own.

    numpy draws entropy also for `RandomState(seed)` and for a generator that is copied, and forgets it at once.
    """
    for frame in _frames(12):
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(_OURS) or module in ("random", "secrets"):
            continue
        code = frame.f_code
        if (
            module.partition(".")[0] in _COPYING
            or module == "numpy.random._pickle"
            or not is_library_file(code.co_filename)
        ):
            return False
        return "RandomState" not in code.co_names or "default_rng" in code.co_names
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
