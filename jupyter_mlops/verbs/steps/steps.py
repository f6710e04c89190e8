"""`steps`: all steps recorded in the project."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain.reason_text import phrases
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all", action="store_true", help="include unnamed cells (default: only if no step has a name)"
    )


def _run(arguments: argparse.Namespace, context: Context) -> View:
    with open_project(context) as store:
        newest = store.steps.last_everywhere()
        labels = store.steps.labels(newest)
    rows = [
        {
            "notebook": run.notebook,
            "step": run.step,
            "label": labels[run.id],
            "version": run.version,
            "status": run.status,
            "duration": run.duration,
            "ended_at": run.ended_at,
            "unrepeatable": run.unrepeatable,
        }
        for run in sorted(newest, key=lambda run: (run.notebook, run.position))
    ]
    if not arguments.all:
        rows = [row for row in rows if "@" not in str(row["step"])] or rows
    return View(rows, lambda: _show(rows))


def _show(rows: list[dict[str, Any]]) -> RenderableType:
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import ago, seconds, state, step_name, table

    if not rows:
        return "No step has run in this project yet."
    made = table("notebook", "step", "version>", "last run", "took>", "when", "always runs, because it")
    for row in rows:
        made.add_row(
            escape(row["notebook"]),
            step_name(row["step"], row["label"]),
            f"v{row['version']}",
            state(row["status"]),
            seconds(row["duration"]),
            ago(row["ended_at"]),
            escape(phrases(row["unrepeatable"])),
        )
    return made


VERB = Verb("steps", "all steps recorded in the project, with their versions and last run", _configure, _run)
