"""The kernel as its steps find it: the shell and its names, what these stand for, modules, and what the kernel works for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.key.modules import LocalModules
from jupyter_mlops.capture.key.world import LiveWorld
from jupyter_mlops.capture.observe.threads import ConcurrentWork
from jupyter_mlops.capture.session.rewriters import has_rewriters
from jupyter_mlops.domain.variables import KernelTask

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class KernelContext:
    """Made when the extension is loaded. It knows nothing of runs, stores and records."""

    def __init__(self, shell: InteractiveShell, task: KernelTask) -> None:
        libraries.begin()
        self.shell = shell
        self.task = task
        self.is_job = bool(task.run_id)
        """Whether the engine started this kernel."""
        self.modules = LocalModules().install()
        self.world = LiveWorld(shell.user_ns, shell.user_ns_hidden)
        self.beside = ConcurrentWork()
        self.unseeded = {libraries.random_digests()["random"]}
        """Digests of states of `random` that no cell has set."""
        self._path: tuple[Path | None, ...] = ()

    @property
    def namespace(self) -> dict[str, Any]:
        """The shell's names."""
        namespace: dict[str, Any] = self.shell.user_ns
        return namespace

    @property
    def notebook_path(self) -> Path | None:
        """The live notebook's file, as Jupyter, VS Code or the engine tell it; None where no one does.

        Asking the system lets other threads go first: it is done once per cell.
        """
        found = self._path
        if not found:
            found = self._path = (self._find_notebook(),)
        return found[0]

    def _find_notebook(self) -> Path | None:
        if self.task.notebook:
            return Path(self.task.project, self.task.notebook)
        for name in (os.environ.get("JPY_SESSION_NAME"), self.namespace.get("__vsc_ipynb_file__")):
            if isinstance(name, str) and name.endswith(".ipynb") and Path(name).is_file():
                return Path(name)
        return None

    def look_again(self) -> None:
        """A cell begins or ends: the notebook may have been given another file since."""
        self._path = ()

    @property
    def start_folder(self) -> Path:
        """The folder the project is looked up from."""
        path = self.notebook_path
        return Path(self.task.project) if self.task.project else path.parent if path is not None else Path.cwd()

    @property
    def display_mode(self) -> str:
        """How the shell shows results: part of every key."""
        return f"{self.shell.ast_node_interactivity} {type(self.shell).__name__}"

    @property
    def runs_code_as_it_stands(self) -> bool:
        """Whether no one but us rewrites cells before they run."""
        return not has_rewriters(self.shell)
