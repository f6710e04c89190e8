"""One kernel's view: which notebook and run it works for, what its cells bound and changed, and the store, opened late."""

from __future__ import annotations

import importlib
import json
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import xxhash

from jupyter_mlops.analysis.code import CodeFacts
from jupyter_mlops.analysis.notebook import cells_of, steps_of
from jupyter_mlops.analysis.parameters import parameters_of
from jupyter_mlops.capture.digest import Undigestible, Walker
from jupyter_mlops.capture.key import effects_of
from jupyter_mlops.capture.modules import LocalModules
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.store.notebooks import parse_notebook, read_bytes

if TYPE_CHECKING:
    from jupyter_mlops.capture.saver import Saver
    from jupyter_mlops.store.store import Store

log = logging.getLogger(__name__)
RUN_VARIABLE = "MLOPS_RUN_ID"
PROJECT_VARIABLE = "MLOPS_PROJECT"
NOTEBOOK_VARIABLE = "MLOPS_NOTEBOOK"
LIVE = "(no notebook)"


class Listener(Protocol):
    """What the interface wants to know, and may add to."""

    def run_tags(self, root: Path) -> dict[str, str]:
        """Tags for a run that is about to be made in the project `root`."""

    def before(self, step_run: StepRun) -> None:
        """A step is about to be executed."""

    def after(self, step_run: StepRun) -> None:
        """A step has ended, or was reused."""

    def reused(self, step_run: StepRun, saved: float, source: StepRun) -> None:
        """A step was reused: `saved` is how long computing it took, in seconds."""

    def warn(self, message: str, hint: str) -> None:
        """Something the author should know; the cell goes on."""


class Session:
    """Made when the extension is loaded; costs nothing until the first step."""

    def __init__(self, shell: Any, listener: Listener) -> None:
        self.shell = shell
        self.listener = listener
        self.modules = LocalModules()
        self.producers: dict[str, str] = {}
        self.cells_of_steps: dict[str, str] = {}
        self.path = ""
        self._positions = 0
        self._opening = threading.Lock()
        self._store: Store | None = None
        self._saver: Saver | None = None
        self._run_id: str | None = None
        self._undescribed: str | None = None

    @property
    def namespace(self) -> dict[str, Any]:
        """The shell's names."""
        namespace: dict[str, Any] = self.shell.user_ns
        return namespace

    @property
    def notebook_path(self) -> Path | None:
        """The live notebook's file, as Jupyter, VS Code or the engine tell it; None where no one does."""
        engine = os.environ.get(NOTEBOOK_VARIABLE)
        if engine:
            return Path(os.environ.get(PROJECT_VARIABLE, ""), engine)
        for name in (os.environ.get("JPY_SESSION_NAME"), self.namespace.get("__vsc_ipynb_file__")):
            if isinstance(name, str) and name.endswith(".ipynb") and Path(name).is_file():
                return Path(name)
        return None

    @property
    def start_folder(self) -> Path:
        """The folder the project is looked up from."""
        project = os.environ.get(PROJECT_VARIABLE)
        path = self.notebook_path
        return Path(project) if project else path.parent if path is not None else Path.cwd()

    @property
    def store(self) -> Store:
        """The project's store; opened, and made where it is missing, on first use."""
        with self._opening:
            if self._store is None:
                from jupyter_mlops.store.store import Store

                self._store = Store.open(self.start_folder)
            return self._store

    @property
    def saver(self) -> Saver:
        """The thread that writes results."""
        if self._saver is None:
            from jupyter_mlops.capture.saver import Saver

            self._saver = Saver(self.store)
        return self._saver

    @property
    def notebook(self) -> str:
        """The notebook as the index names it."""
        engine = os.environ.get(NOTEBOOK_VARIABLE)
        path = self.notebook_path
        return engine or (self.store.relative(path) if path is not None else LIVE)

    @property
    def run_id(self) -> str:
        """The run this kernel works for: the engine's, else a session's own, made with its first step."""
        if self._run_id is None:
            self._run_id = os.environ.get(RUN_VARIABLE) or self._new_run()
        return self._run_id

    @property
    def is_job(self) -> bool:
        """Whether the engine started this kernel."""
        return bool(os.environ.get(RUN_VARIABLE))

    def _new_run(self) -> str:
        store = self.store
        now = store.now()
        tags = self.listener.run_tags(store.root)
        run = Run(store.new_id(), 0, "session", self.notebook, Status.PENDING, tags=tags, created_at=now)
        store.runs.create(run)
        store.runs.start(run.id, now=now)
        self._undescribed = run.id
        return run.id

    def _describe(self, run_id: str) -> None:
        """Record where the session comes from: notebook, parameters, git, environment. Takes its time, behind the cell."""
        from jupyter_mlops.store.provenance import git_tags, keep_environment

        store, path = self.store, self.notebook_path
        known: dict[str, Any] = {
            "tags": git_tags(self.start_folder),
            "environment": keep_environment(store.objects),
        }
        if path is not None:
            data = read_bytes(path)
            known["notebook_object"] = store.objects.put(data)
            declared = parameters_of(cells_of(parse_notebook(data, path.name)))
            known["parameters"] = {
                item.name: self.namespace[item.name]
                for item in declared
                if isinstance(self.namespace.get(item.name), (bool, int, float, str))
            }
        store.runs.update(run_id, told_at=store.now(), **known)

    def drain(self, timeout: float) -> bool:
        """Wait until all results are written."""
        return True if self._saver is None else self._saver.drain(timeout)

    def close(self) -> None:
        """End a session's own run when the kernel ends in good order."""
        if self._store is not None and self._run_id is not None and not self.is_job:
            self.drain(60.0)
            self._store.runs.finish(self._run_id, Status.COMPLETED, now=self._store.now())

    def warm(self) -> None:
        """Import what the first step will need, beside the kernel's own work."""
        threading.Thread(target=_import_needed, name="jupyter-mlops-warm", daemon=True).start()

    def next_position(self) -> int:
        """A number for the next step run of this kernel."""
        self._positions += 1
        return self._positions

    def cell_ended(self, facts: CodeFacts, name: str, bound: set[str]) -> None:
        """Note what a cell (a step called `name`, or "") left behind: who bound which name, and effects on libraries."""
        undescribed, self._undescribed = self._undescribed, None
        if undescribed is not None:
            self.saver.do(lambda: self._describe(undescribed))
        label = name or f"cell:{facts.digest[:16]}"
        for item in bound:
            self.producers[item] = label
        self.modules.look()
        if effects_of(facts, self.namespace):
            self.path = xxhash.xxh3_128_hexdigest(f"{self.path}\0{self._effect(facts)}".encode())

    def _effect(self, facts: CodeFacts) -> str:
        """What decides an effect: the code and what it read; where that cannot be told, something never seen before."""
        parts = [facts.digest]
        walker = Walker(self.namespace)
        for name in sorted(facts.names.reads):
            if name in self.namespace:
                try:
                    parts.append(walker.fingerprint(name, self.namespace[name]).digest)
                except Undigestible:
                    parts.append(os.urandom(16).hex())
        return "\0".join(parts)

    def tags_of(self, info: Any) -> tuple[str, ...]:
        """The tags of the cell about to run: as the engine sent them, else as the notebook's file has them."""
        sent = getattr(info, "cell_meta", None) or self._request_metadata()
        mlops = sent.get("mlops") if isinstance(sent, dict) else None
        if isinstance(mlops, dict):
            return tuple(str(tag) for tag in mlops.get("tags", ()))
        path = self.notebook_path
        cell_id = getattr(info, "cell_id", None)
        if path is None or cell_id is None or self.is_job:
            return ()
        return _tags_in_file(str(path), _modified(path)).get(cell_id, ())

    def has_step_cell(self, cell_id: str, name: str) -> bool:
        """Whether the notebook's file still has this cell as a step of this name."""
        path = self.notebook_path
        if path is None:
            return False
        try:
            cells = json.loads(path.read_bytes())["cells"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        steps, _ = steps_of(cells_of({"cells": [cell for cell in cells if cell.get("id") == cell_id]}))
        return any(step.spec.name == name for step in steps)

    def _request_metadata(self) -> Any:
        kernel = getattr(self.shell, "kernel", None)
        if kernel is None or not hasattr(kernel, "get_parent"):
            return {}
        return (kernel.get_parent() or {}).get("metadata", {})


def _import_needed() -> None:
    for name in ("jupyter_mlops.capture.saver", "jupyter_mlops.capture.step", "jupyter_mlops.store.store"):
        importlib.import_module(name)


def _modified(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size


_tags_cache: dict[str, tuple[tuple[int, int], dict[str, tuple[str, ...]]]] = {}


def _tags_in_file(path: str, modified: tuple[int, int]) -> dict[str, tuple[str, ...]]:
    """Cell id → tags, of a notebook file as last saved."""
    cached = _tags_cache.get(path)
    if cached is not None and cached[0] == modified:
        return cached[1]
    tags: dict[str, tuple[str, ...]] = {}
    try:
        cells = json.loads(Path(path).read_bytes())["cells"]
        tags = {cell.get("id", ""): tuple(cell.get("metadata", {}).get("tags", ())) for cell in cells}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.debug("the tags of %s cannot be read: %s", path, error)
        return {}  # it may be half written: not remembered, so that the next cell looks again
    _tags_cache[path] = (modified, tags)
    return tags
