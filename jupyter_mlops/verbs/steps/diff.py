"""`diff STEP V1 V2`: what changed between two versions of a step, side by side where there is room."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.analysis.code.bounds import LONGEST
from jupyter_mlops.operations.steps.restore import find_version
from jupyter_mlops.operations.steps.why import code_diff
from jupyter_mlops.verbs.framework.target import notebook_of, open_project
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", help="the step's name, or the beginning of it")
    parser.add_argument("before", metavar="V1", help="a version, such as 1 or v1")
    parser.add_argument("after", metavar="V2", help="another version")
    parser.add_argument("-u", "--unified", action="store_true", help="always show a unified diff")
    parser.add_argument("--notebook", help="the notebook, if several have a step with this name")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    with open_project(context) as store:
        notebook = notebook_of(store, arguments.notebook, context, arguments.step)
        before = find_version(store, arguments.step, arguments.before, notebook).version
        after = find_version(store, arguments.step, arguments.after, notebook).version
    names = f"{before.step} v{before.number}", f"{after.step} v{after.number}"
    lines = code_diff(before.source, after.source, names)

    def show() -> RenderableType:
        from rich.text import Text

        from jupyter_mlops.verbs.steps.diff_view import Difference

        if not lines:
            return Text("The two versions are the same.")
        if max(len(before.source), len(after.source)) > LONGEST:
            return Text("\n".join(lines))
        return Difference(before.source, after.source, names, lines, unified=arguments.unified)

    return View({"before": before, "after": after, "diff": "\n".join(lines)}, show)


VERB = Verb("diff", "what changed between two versions of a step", _configure, _run)
