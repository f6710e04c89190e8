"""`status`: the notebook's steps in order and the state of each."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.analysis.pipeline.cells import cells_of
from jupyter_mlops.domain.counted import counted
from jupyter_mlops.domain.pipeline import PipelineStatus
from jupyter_mlops.operations.steps.in_view import RUN, find_view, maybe_outputs
from jupyter_mlops.operations.steps.status import pipeline_status
from jupyter_mlops.store.files.notebooks import read_notebook
from jupyter_mlops.verbs.framework.target import notebook_file, notebook_project, view_of
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", nargs="?", help="the notebook (default: the live one, or the folder's only one)")
    parser.add_argument("--all", action="store_true", help="include unnamed cells")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    path = notebook_file(arguments.notebook, context)
    saved = read_notebook(path)
    cells = cells_of(saved)
    with notebook_project(path) as (store, notebook):
        outputs = maybe_outputs(path, saved["metadata"].get("papermill"))
        view = view_of(context, path) or find_view(store, notebook, outputs=outputs)
        everything = arguments.all or (context.live is not None and context.live.capture_all)
        status = pipeline_status(store, notebook, cells, everything=everything, view=view)
    return View(status, lambda: _show(status))


def _show(status: PipelineStatus) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.framework import tables
    from jupyter_mlops.verbs.framework.tables import ago, state, table

    if not status.steps and not status.problems:
        return f"{escape(status.notebook)} has no code yet."
    labels = {step.name: step.label for step in status.steps}
    made = table("step", "state", "version>", "took>", "when", "after", "reason")
    for step in status.steps:
        version = "" if step.version is None else f"v{step.version}"
        after = ", ".join(tables.step_name(name, labels.get(name, "")) for name in step.upstream)
        row = (
            tables.step_name(step.name, step.label),
            state(step.state),
            version,
            tables.took(step.duration, step.computed),
            ago(step.ended_at),
            after,
            escape(step.reason),
        )
        made.add_row(*row)
    problems = [f"[red]{escape(problem.message)}[/] {escape(problem.hint)}" for problem in status.problems]
    lines: list[RenderableType] = [made, *problems]
    if status.in_view == RUN:
        lines.insert(0, f"[dim]As run {status.run_number} of {escape(status.source or '')} left them:[/]")
    if status.hidden:
        cells = counted(status.hidden, "cell")
        lines.append(f"[dim]and {cells} without a name: status --all[/]")
    return Group(*lines)


VERB = Verb("status", "the notebook's steps in order, and the state of each", _configure, _run)
