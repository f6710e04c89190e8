"""`jupyter mlops demo [FOLDER]`: the whole way once, on real data: a project, two runs, what the second reused."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.operations.project.demo import Demo, prepare_demo, run_demo
from jupyter_mlops.tracking.uri import shown_uri, tracking_uri
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View
from jupyter_mlops.verbs.runs.run import progress

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jupyter_mlops.jobs.running.events import OnEvent


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        nargs="?",
        default="demo",
        metavar="FOLDER",
        help="where the demo's project is or goes (default: demo)",
    )


def _run(arguments: argparse.Namespace, context: Context) -> View:
    folder = context.start / Path(arguments.folder).expanduser()
    console = context.console
    notebook, made = prepare_demo(folder)
    console.print(
        f"Created a project in [bold]{_path(folder, context)}[/]."
        if made
        else f"The demo already exists in [bold]{_path(folder, context)}[/]: its notebook is run as it is."
    )

    @contextmanager
    def watch(parameters: Mapping[str, Any]) -> Iterator[OnEvent]:
        changed = ", ".join(f"{name} = {value}" for name, value in parameters.items())
        console.print(f"\nWith {changed}:" if changed else "\nWith the notebook's own parameters:")
        with progress(console) as on_event:
            yield on_event

    demo = run_demo(notebook, made=made, watch=watch)
    return View(data=_data(demo), show=lambda: _show(demo, context))


def _data(demo: Demo) -> dict[str, Any]:
    return {
        "folder": demo.folder,
        "notebook": demo.notebook,
        "made": demo.made,
        "tracking_uri": shown_uri(tracking_uri(demo.folder)),
        "tracked": demo.tracked,
        "comparison": demo.comparison,
    }


def _show(demo: Demo, context: Context) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    from jupyter_mlops.verbs.runs.compare_view import comparison_table

    folder = _path(demo.folder, context)
    where = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    where.add_column(style="dim", no_wrap=True)
    where.add_column(overflow="fold")
    where.add_row("notebook", _path(demo.notebook, context))
    for run in demo.runs:
        where.add_row(f"run #{run.number}", _path(demo.folder / str(run.output_path), context))
    where.add_row("store", f"{folder}/.mlops")
    uri = shown_uri(tracking_uri(demo.folder))
    where.add_row("MLflow store", escape(uri) + ("" if demo.tracked else "  (still being written; see .mlops/logs)"))

    ways = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    ways.add_column(style="dim", no_wrap=True)
    ways.add_column(style="cyan", overflow="fold")
    lab = f"cd {shlex.quote(folder)} && jupyter lab {demo.notebook.name}"
    if _in_checkout(demo.folder):
        ways.add_row("JupyterLab", "make lab")
        ways.add_row("  or", escape(lab))
    else:
        ways.add_row("JupyterLab", escape(lab))
    ways.add_row("MLflow's own UI", escape(f"mlflow ui --backend-store-uri {shlex.quote(uri)} --workers 1"))
    ways.add_row("compare again", f"cd {escape(shlex.quote(folder))} && jupyter mlops runs compare "
                 f"{demo.runs[0].number} {demo.runs[1].number}")  # fmt: skip
    return Group("", comparison_table(demo.comparison), "", where, "", ways)


def _path(path: Path, context: Context) -> str:
    """As the user would type it: relative where that is shorter."""
    relative = os.path.relpath(path, context.start)
    return relative if not relative.startswith("..") else str(path)


def _in_checkout(folder: Path) -> bool:
    """Whether `make lab` of a source checkout opens this very project."""
    return folder.name == "demo" and (folder.parent / "labextension" / "package.json").is_file()


VERB = Verb(
    name="demo",
    help="create the demo project, run it twice and compare",
    configure=_configure,
    run=_run,
    surfaces=(CLI,),
)
