"""Goes once through what every job does, before the fork: patterns are compiled and statements known when it counts."""

from __future__ import annotations

import contextlib
import fnmatch
import importlib
import pkgutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.capture.key.environment import versions_digest
from jupyter_mlops.capture.key.modules import know_libraries
from jupyter_mlops.domain.run import RunKind
from jupyter_mlops.errors import MLOpsError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

OURS = ("analysis", "capture", "domain", "magics")
_NEEDED = (
    "ipykernel_launcher",
    "IPython.core.logger",
    "IPython.core.magics.extension",
    "IPython.extensions.storemagic",
    "jupyter_mlops.store.files.locks",
    "jupyter_mlops.store.db.sqlite",
    "jupyter_mlops.store.store",
    "jupyter_mlops.tracking",
    "sqlalchemy.dialects.sqlite",
    "tornado.platform.asyncio",
)
_SAMPLE = "import os\nfor name in [1, 2.5, 'text']:\n    print(f'{name!r}', os.path.join('a', *[]))\nx = {'a': (1,)}"


def import_ours() -> None:
    """What a job's kernel needs of ours and of Jupyter's, whatever its notebook imports."""
    ours = Path(importlib.import_module("jupyter_mlops").__file__ or "").parent
    names = list(_NEEDED)
    for folder in OURS:
        names += [item.name for item in pkgutil.walk_packages([str(ours / folder)], f"jupyter_mlops.{folder}.")]
    for name in names:
        # One that cannot be imported says so where it is needed.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def rehearse(shell: InteractiveShell) -> None:
    """Transform and analyse a cell, and use a store that is thrown away."""
    from jupyter_mlops.analysis.code.facts import cell_facts

    for code in (_SAMPLE, "%time x = 1", "!true", "x?"):
        cell_facts(shell.transform_cell(code))
    shell.run_cell("pass", silent=True)
    shell.find_line_magic("load_ext")  # which IPython makes when it is first asked for, as each job does
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(MLOpsError):
        _use_store(Path(folder))


def empty_history(shell: Any) -> None:
    """Let the history, which is in memory, begin anew: each kernel's first session is number 1."""
    shell.history_manager.db.close()
    shell.history_manager.init_db()


def know(packages: Iterable[str], modules: Mapping[str, Any]) -> None:
    """Learn what every key asks for: which loaded modules are libraries', and what the packages require."""
    know_libraries(modules)
    versions_digest(sorted({name.partition(":")[0].partition(".")[0] for name in packages}))
    for pattern in ("*.py", "*.ipy"):  # of the user's startup files
        fnmatch.filter([], pattern)


def _use_store(folder: Path) -> None:
    from jupyter_mlops.domain.run import Run
    from jupyter_mlops.domain.status import Status
    from jupyter_mlops.domain.step import StepRun
    from jupyter_mlops.store.store import Store

    (folder / ".mlops").mkdir()
    with Store.open(folder) as store:
        now = store.now()
        store.runs.create(Run("r", 0, RunKind.SESSION, "n", Status.PENDING, created_at=now))
        store.runs.start("r", now=now)
        version = store.steps.version("n", "s", "d", "", now=now)
        step = StepRun("s", "r", "n", "s", version.number, "d", 1, Status.RUNNING, started_at=now)
        store.steps.start_run(step)
        store.steps.journal([(step, "x = 1")], now=now)
        store.steps.update_run("s", told_at=now, status=Status.COMPLETED, outputs={})
        store.steps.candidates("k")
        store.steps.last_by_need("n")("s")
        store.steps.runs(run_id="r")
