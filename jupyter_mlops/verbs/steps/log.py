"""`log STEP`: its versions, and its newest runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.analysis.pipeline.cells import match_step
from jupyter_mlops.domain.brief import IN_SOURCE, LeftOut
from jupyter_mlops.domain.listed import ListedStepRun, shown_step_run
from jupyter_mlops.domain.reason_text import sentence
from jupyter_mlops.domain.step import StepVersion
from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.verbs.framework.numbers import count
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", help="the step's name, or the beginning of it")
    parser.add_argument("--notebook", help="only in this notebook")
    parser.add_argument("-n", "--limit", type=count, default=20, help="how many of each to show (default 20)")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    with open_project(context) as store:
        step = match_step(arguments.step, store.steps.names(arguments.notebook))
        versions = store.steps.versions(step, arguments.notebook, limit=arguments.limit, extent=IN_SOURCE)
        listed = store.steps.listed(step=step, notebook=arguments.notebook, limit=arguments.limit)
        runs = [shown_step_run(run) for run in listed]
        numbers = store.runs.numbers(run.run_id for run in runs)
        alike = store.steps.alike({version.digest for version in versions}, extent=IN_SOURCE)
    also = {(item.notebook, item.number): _others(item, versions, alike) for item in versions}
    data = {
        "versions": [{**to_wire(item), "also": also[item.notebook, item.number]} for item in versions],
        "runs": runs,
    }
    return View(data, lambda: _show(versions, also, runs, numbers))


def _others(version: StepVersion, shown: list[StepVersion], alike: list[StepVersion]) -> list[str]:
    """Where else in the project the same content stands: in a copy of the notebook, or under an earlier name of it."""
    there = {(item.notebook, item.number) for item in shown}
    return [
        f"{item.notebook}{'' if item.step == version.step else f' {item.step}'} v{item.number}"
        for item in alike
        if item.digest == version.digest and (item.step != version.step or (item.notebook, item.number) not in there)
    ]


def _show(
    versions: list[StepVersion],
    also: dict[tuple[str, int], list[str]],
    runs: list[ListedStepRun],
    numbers: dict[str, int],
) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import ago, pairs, seconds, short, state, table

    elsewhere = any(also.values())
    first = table("version>", "made", "notebook", "first line", *(["also in"] if elsewhere else []))
    for version in reversed(versions):
        line = next((line for line in version.source.splitlines() if line.strip(" #")), "")
        row = [f"v{version.number}", ago(version.created_at), escape(version.notebook), escape(line[:60])]
        first.add_row(*row, *([escape(", ".join(also[version.notebook, version.number]))] if elsewhere else []))
    second = table("run>", "status", "version>", "took>", "when", "metrics", "because")
    for run in runs:
        second.add_row(
            f"#{numbers.get(run.run_id, '?')}",
            state(run.status),
            f"v{run.version}",
            seconds(run.duration),
            ago(run.ended_at),
            pairs(run.metrics, run.left_out.get("metrics")),
            escape(short(run.error, run.left_out.get("error", LeftOut()).texts.get("error")) or sentence(run.why)),
        )
    return Group(first, "", second)


VERB = Verb("log", "the versions and runs of one step", _configure, _run)
