"""`log STEP`: its versions, and its newest runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.domain.step import StepRun, StepVersion
from jupyter_mlops.verbs.project import open_project
from jupyter_mlops.verbs.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", help="the step's name")
    parser.add_argument("--notebook", help="only in this notebook")
    parser.add_argument("-n", "--limit", type=int, default=20, help="how many runs to show (default 20)")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    with open_project(context) as store:
        versions = store.steps.versions(arguments.step, arguments.notebook)
        runs = store.steps.runs(step=arguments.step, notebook=arguments.notebook, limit=arguments.limit)
        numbers = {run.id: run.number for run in store.runs.list()}
    data = {"versions": versions, "runs": runs}
    return View(data, lambda: _show(versions, runs, numbers))


def _show(versions: list[StepVersion], runs: list[StepRun], numbers: dict[str, int]) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.tables import ago, pairs, seconds, state, table

    first = table("version>", "made", "notebook", "first line")
    for version in reversed(versions):
        line = next((line for line in version.source.splitlines() if line.strip(" #")), "")
        first.add_row(f"v{version.number}", ago(version.created_at), escape(version.notebook), escape(line[:60]))
    second = table("run>", "status", "version>", "took>", "when", "metrics", "because")
    for run in runs:
        second.add_row(
            f"#{numbers.get(run.run_id, '?')}",
            state(run.status),
            f"v{run.version}",
            seconds(run.duration),
            ago(run.ended_at),
            pairs(run.metrics),
            escape(run.error or run.why),
        )
    return Group(first, "", second)


VERB = Verb("log", "the versions and runs of one step", _configure, _run)
