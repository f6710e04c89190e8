"""`status`: the notebook's steps in order and the state of each."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.analysis.notebook import cells_of
from jupyter_mlops.domain.pipeline import PipelineStatus
from jupyter_mlops.operations.status import pipeline_status
from jupyter_mlops.store import find_project
from jupyter_mlops.store.notebooks import read_notebook
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.project import notebook_file
from jupyter_mlops.verbs.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", nargs="?", help="the notebook (default: the live one, or the folder's only one)")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    status = notebook_status(arguments.notebook, context)
    return View(status, lambda: _show(status))


def notebook_status(named: str | None, context: Context) -> PipelineStatus:
    """The status of the notebook that is meant, as last saved."""
    path = notebook_file(named, context)
    cells = cells_of(read_notebook(path))
    if find_project(path) is None:
        return pipeline_status(None, path.name, cells)
    with Store.open(path, create=False) as store:
        return pipeline_status(store, store.relative(path), cells)


def _show(status: PipelineStatus) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.tables import ago, seconds, state, table

    if not status.steps and not status.problems:
        return f"{escape(status.notebook)} has no steps yet. Put %%step NAME on top of a cell."
    made = table("step", "state", "version>", "took>", "when", "after", "reason")
    for step in status.steps:
        version = "" if step.version is None else f"v{step.version}"
        after = ", ".join(step.upstream)
        row = (
            step.name,
            state(step.state),
            version,
            seconds(step.duration),
            ago(step.ended_at),
            after,
            escape(step.reason),
        )
        made.add_row(*row)
    problems = [f"[red]{escape(problem.message)}[/] {escape(problem.hint)}" for problem in status.problems]
    return Group(made, *problems)


VERB = Verb("status", "the notebook's steps in order, and the state of each", _configure, _run)
