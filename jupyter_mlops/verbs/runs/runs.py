"""`runs`: the project's runs; `runs compare A B`: two side by side; `runs notebook RUN`: a run's notebook as it was."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from jupyter_mlops.domain.run import Run
from jupyter_mlops.errors import InputError
from jupyter_mlops.jobs.recovery.reconcile import reconcile_for_reading
from jupyter_mlops.store.files.atomic import write_atomically
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.framework.numbers import count
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--limit", type=count, default=20, help="how many to show (default 20)")
    parser.add_argument("--before", type=count, metavar="RUN", help="only runs older than this number")
    parser.add_argument("--notebook", help="only runs of this notebook")
    actions = parser.add_subparsers(dest="action", metavar="compare|notebook")
    compare = actions.add_parser("compare", help="two runs side by side")
    compare.add_argument("a", help="a run's number")
    compare.add_argument("b", help="another run's number")
    notebook = actions.add_parser("notebook", help="the notebook of a run, as it was when the run was submitted")
    notebook.add_argument("run", help="the run's number")
    notebook.add_argument(
        "-o", "--output", metavar="FILE", help="where to write it (default: NOTEBOOK-runRUN.ipynb in this folder)"
    )
    for action in (compare, notebook):
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    with open_project(context) as store:
        reconcile_for_reading(store, now=store.now())
        if arguments.action == "compare":
            from jupyter_mlops.operations.runs.compare import compare_runs
            from jupyter_mlops.verbs.runs.compare_view import comparison_table

            comparison = compare_runs(store, arguments.a, arguments.b)
            return View(comparison, lambda: comparison_table(comparison))
        if arguments.action == "notebook":
            run, file = _notebook(store, arguments, context)
            return View({"run": run.number, "notebook": run.notebook, "file": file}, lambda: _written(run, file))
        listed = store.runs.list(notebook=arguments.notebook, before=arguments.before, limit=arguments.limit + 1)
    runs = listed[: arguments.limit]
    older = _older(runs[-1].number, arguments) if len(listed) > len(runs) else ""
    return View(runs, lambda: _show(runs, older, arguments.before))


def _older(last: int, arguments: argparse.Namespace) -> str:
    """What shows the runs that are older than the last one shown."""
    notebook = f" --notebook {shlex.quote(arguments.notebook)}" if arguments.notebook else ""
    limit = f" -n {arguments.limit}" if arguments.limit != 20 else ""
    return f"runs --before {last}{limit}{notebook}"


def _notebook(store: Store, arguments: argparse.Namespace, context: Context) -> tuple[Run, Path]:
    """Write the notebook of a run, byte for byte; a file that is there is replaced only where it was named."""
    run = store.runs.get(arguments.run)
    if run.notebook_object is None:
        raise InputError(
            f"The notebook of run {run.number} was not stored.",
            "Only a run of a saved notebook has one: save the notebook before you run it.",
        )
    data = store.objects.get(run.notebook_object)
    named = arguments.output
    file = context.start / Path(named or f"{Path(run.notebook).stem}-run{run.number}.ipynb").expanduser()
    if named is None and file.exists() and file.read_bytes() != data:
        raise InputError(f"A different '{file.name}' already exists.", "Choose another file: -o FILE")
    write_atomically(file, [data])
    return run, file


def _written(run: Run, file: Path) -> str:
    from rich.markup import escape

    return f"The notebook of run {run.number} is in {escape(str(file))}."


def _show(runs: list[Run], older: str, before: int | None) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import ago, pairs, seconds, state, table

    if not runs and before is not None:
        return f"There are no runs before #{before}."
    if not runs:
        return "There are no runs yet. Start one: jupyter mlops run NOTEBOOK"
    made = table("run>", "status", "kind", "notebook", "when", "took>", "steps", "parameters", "metrics")
    for run in runs:
        steps = f"{run.steps_executed} run, {run.steps_reused} reused"
        status = state(run.status) + (
            f" [dim]{escape(shorten(run.error.message, 60, placeholder=' …'))}[/]" if run.error else ""
        )
        made.add_row(
            f"#{run.number}",
            status,
            run.kind,
            escape(run.notebook),
            ago(run.created_at),
            seconds(run.duration),
            steps,
            pairs(run.parameters, run.left_out.get("parameters")),
            pairs(run.metrics, run.left_out.get("metrics")),
        )
    return Group(made, "", f"[dim]Older ones: {escape(older)}[/]") if older else made


VERB = Verb("runs", "the project's runs, newest first", _configure, _run)
