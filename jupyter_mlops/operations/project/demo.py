"""The demo: a project from the template, two runs of its notebook with one parameter changed, and their comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain.reason_text import sentence
from jupyter_mlops.errors import RunError
from jupyter_mlops.jobs.running.events import OnEvent
from jupyter_mlops.operations.project.templates import find_template, new_project
from jupyter_mlops.operations.runs.compare import Comparison, compare_runs
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store import open_store
from jupyter_mlops.store.project.folder import find_project
from jupyter_mlops.tracking import drain

if TYPE_CHECKING:
    from jupyter_mlops.domain.run import Run

TEMPLATE = "tabular-classification"
CHANGED: Mapping[str, Any] = {"max_depth": 1}
"""What the second run changes. No step above `train` reads it."""
UPSTREAM = ("load", "clean", "split")
_TRACKING_TIMEOUT = 120.0

Watch = Callable[[Mapping[str, Any]], AbstractContextManager[OnEvent]]
"""Called with a run's parameters before it starts; what it gives is told of the run's events."""


@dataclass(frozen=True)
class Demo:
    """What the demo did: `made` says whether the project is new, `tracked` whether MLflow has all of it already."""

    folder: Path
    notebook: Path
    made: bool
    comparison: Comparison
    tracked: bool

    @property
    def runs(self) -> tuple[Run, Run]:
        """The first and the second run."""
        return self.comparison.a, self.comparison.b


def prepare_demo(folder: Path) -> tuple[Path, bool]:
    """The demo's notebook in `folder`, and whether it was made now; one that is there is used as it stands.

    Raises as `new_project`, where the folder holds something else.
    """
    folder = folder.absolute()
    notebook = folder / find_template(TEMPLATE).notebook
    if notebook.is_file() and find_project(folder) == folder:
        return notebook, False
    return new_project(TEMPLATE, folder).notebook, True


def run_demo(notebook: Path, *, made: bool, watch: Watch) -> Demo:
    """Run the demo's notebook with its defaults and with `CHANGED`, and compare.

    Raises
    ------
    RunError
        A run did not complete, or the second computed an upstream step anew.
    NotebookError, UnknownNameError, InputError, NotWritableError
        The notebook cannot be run, as `run_notebook` says; then nothing ran.
    """
    runs = []
    for parameters in ({}, CHANGED):
        with watch(parameters) as on_event:
            runs.append(run_notebook(notebook, parameters, on_event=on_event))
    with open_store(notebook) as store:
        comparison = compare_runs(store, runs[0].id, runs[1].id)
        check_reuse(comparison)
        tracked = drain(store, _TRACKING_TIMEOUT)
    return Demo(notebook.parent, notebook, made, comparison, tracked)


def check_reuse(comparison: Comparison) -> None:
    """Raise `RunError` where the second run did not reuse every upstream step."""
    steps = {pair.name: pair.b for pair in comparison.steps}
    for name in UPSTREAM:
        side = steps.get(name)
        if side is None:
            raise RunError(
                f"The second run has no step '{name}'.",
                "The demo's notebook was changed: use another folder for a new demo.",
            )
        if not side.reused:
            why = sentence(side.why) or side.status
            raise RunError(
                f"The second run computed step '{name}' again ({why}); it should have reused it.",
                f"See `jupyter mlops why {name}`. If you changed the notebook, use another folder for a new demo.",
            )
