"""A process that has everything imported and forks kernels: `python zygote.py FD`. It is single-threaded until it forks.

Libraries of data are imported too, then taken out of `sys.modules` again: a forked kernel's `import numpy` brings them
back in no time, and until then they are not there, as in a kernel that was just started.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import json
import os
import random
import signal
import socket
import struct
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

ENCODE = json.JSONEncoder().encode
"""A trap may patch `json`."""
GROUPS = {
    "numpy": (["numpy", "numpy.random", "numpy.lib.stride_tricks"], ()),
    "pandas": (["pandas", "pyarrow", "pyarrow.parquet"], ("numpy",)),
    "sklearn": (
        ["sklearn.linear_model", "sklearn.ensemble", "sklearn.model_selection", "sklearn.datasets"],
        ("numpy",),
    ),
}


class Put(importlib.abc.MetaPathFinder):
    """Gives back the modules that were put away, a group at a time."""

    def __init__(self) -> None:
        self.modules: dict[str, dict[str, ModuleType]] = {}
        self.filters: dict[str, list[Any]] = {}

    def load(self, group: str) -> None:
        """Import a group, which is then put away by `away`."""
        before, filters = set(sys.modules), list(warnings.filters)
        for name in GROUPS[group][0]:
            importlib.import_module(name)
        known = sys.stdlib_module_names
        new = {name for name in sys.modules.keys() - before if name.partition(".")[0] not in known}
        self.modules[group] = {name: sys.modules[name] for name in new}
        self.filters[group] = [item for item in warnings.filters if item not in filters]

    def away(self) -> None:
        """Take all groups out of `sys.modules`."""
        for group, modules in self.modules.items():
            for name in modules:
                del sys.modules[name]
            for item in self.filters[group]:
                warnings.filters.remove(item)
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        group = next((group for group, modules in self.modules.items() if name in modules), None)
        if group is None:
            return None
        spec = self.modules[group][name].__spec__
        given = importlib.machinery.ModuleSpec(name, Given(self, group, name), origin=getattr(spec, "origin", None))
        given.submodule_search_locations = getattr(spec, "submodule_search_locations", None)
        return given

    def back(self, group: str) -> None:
        """Put a group, and those it needs, into `sys.modules` again."""
        for needed in GROUPS[group][1]:
            if needed in self.modules:
                importlib.import_module(needed)
        sys.modules.update(self.modules.pop(group))
        warnings.filters[:0] = self.filters[group]
        if group == "numpy":
            numpy_random = sys.modules["numpy.random"]
            numpy_random.set_state(numpy_random.RandomState().get_state())


class Given(importlib.abc.Loader):
    """Loads a module that is there already."""

    def __init__(self, put: Put, group: str, name: str) -> None:
        self._put, self._group = put, group
        self._module = put.modules[group][name]
        self._spec = self._module.__spec__

    def create_module(self, spec: Any) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        if self._group in self._put.modules:
            self._put.back(self._group)
        module.__spec__ = self._spec
        module.__loader__ = self._spec.loader


FOLDERS = ("analysis", "capture", "domain", "magics", "store")
LEFT_OUT = ("capture/libraries/", "capture/values/", "store/db/migrations/")
"""Imported where they are needed."""


def preload() -> Put:
    """Import all that a forked kernel will need."""
    import ipykernel.debugger
    import ipykernel.ipkernel

    ipykernel.debugger._is_debugpy_available = False
    ours = Path(importlib.import_module("jupyter_mlops").__file__ or "").parent
    files = [file for folder in FOLDERS for file in sorted((ours / folder).rglob("*.py"))]
    for file in [*files, ours / "tracking" / "fluent.py"]:
        part = file.relative_to(ours).with_suffix("")
        if part.name != "__init__" and not part.as_posix().startswith(LEFT_OUT):
            importlib.import_module(".".join(("jupyter_mlops", *part.parts)))
    for name in ("sqlalchemy.dialects.sqlite", "cloudpickle", "shell", "importlib.metadata"):
        importlib.import_module(name)
    rehearse()
    early = [group for group in GROUPS if group in sys.modules]
    assert not early, f"{early} imported by what a kernel needs"
    put = Put()
    for group in GROUPS:
        put.load(group)
    put.away()
    return put


def rehearse() -> None:
    """Do once with a store what is slow the first time in a process."""
    from jupyter_mlops.domain.run import Run
    from jupyter_mlops.domain.status import Status
    from jupyter_mlops.domain.step import StepRun
    from jupyter_mlops.store.files.processes import this_process
    from jupyter_mlops.store.store import Store

    this_process()
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder)) as store:
        now = store.now()
        store.runs.create(Run("r", 0, "session", "n", Status.PENDING, created_at=now))
        store.runs.start("r", now=now)
        version = store.steps.version("n", "s", "d", "", now=now)
        run = StepRun("s", "r", "n", "s", version.number, "d", 1, Status.RUNNING, started_at=now)
        store.steps.start_run(run)
        store.steps.update_run("s", told_at=now, status=Status.COMPLETED, outputs={})
        store.steps.candidates("k")
        store.steps.runs(step="s", notebook="n", limit=1)
        store.steps.runs(run_id="r")


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """A message, or None at the end."""
    head = _exactly(connection, 4)
    return None if head is None else json.loads(_exactly(connection, struct.unpack("!I", head)[0]) or b"{}")


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send a message."""
    data = ENCODE(message).encode("utf-8", "surrogatepass")
    connection.sendall(struct.pack("!I", len(data)) + data)


def serve(connection: socket.socket, start: dict[str, Any]) -> None:
    """A forked kernel's life."""
    from shell import Kernel

    del sys.modules["shell"]  # what lies beside the notebook's modules is looked at like them
    os.fsync = lambda descriptor: None  # the folders are thrown away
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(start["folder"])
    os.environ.update(start["environment"])
    random.seed()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    here = str(Path(__file__).parent)
    sys.path[:] = ["", *(path for path in sys.path if path not in ("", here))]
    sys.argv[:] = ["ipykernel_launcher.py"]
    kernel = Kernel()
    if start["capture"]:
        kernel.load_extension()
    send(connection, {"pid": os.getpid()})
    while (message := receive(connection)) is not None:
        if "environment" in message:
            os.environ.update(message["environment"])
        send(connection, kernel.play(message["cells"]))
    kernel.close()


def main() -> None:
    """Fork a kernel for each socket that is sent."""
    control = socket.socket(fileno=int(sys.argv[1]))
    preload()
    complaints = os.dup(2)
    control.sendall(b"r")
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        except ConnectionResetError:
            return
        if not message:
            return
        _reap()
        if os.fork():
            os.close(descriptors[0])
            continue
        control.close()
        code = 1
        try:
            connection = socket.socket(fileno=descriptors[0])
            serve(connection, receive(connection) or {})
            code = 0
        except BaseException:  # noqa: BLE001 - the cells of a trap may raise anything
            os.write(complaints, traceback.format_exc().encode())
        finally:
            os._exit(code)


def _reap() -> None:
    """Let the children that have ended go."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    main()
