"""`diff STEP V1 V2`: what changed between two versions of a step."""

from __future__ import annotations

import argparse
import difflib
from typing import TYPE_CHECKING

from jupyter_mlops.domain.step import StepVersion
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.verbs.project import open_project
from jupyter_mlops.verbs.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", help="the step's name")
    parser.add_argument("before", metavar="V1", help="a version, such as 1 or v1")
    parser.add_argument("after", metavar="V2", help="another version")
    parser.add_argument("--notebook", help="the notebook, where several have a step of this name")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    with open_project(context) as store:
        versions = store.steps.versions(arguments.step, arguments.notebook)
    notebooks = sorted({version.notebook for version in versions})
    if len(notebooks) > 1:
        hint = f"Add --notebook with one of: {', '.join(notebooks)}."
        raise InputError(f"Several notebooks have a step '{arguments.step}'.", hint)
    before, after = _find(versions, arguments.before), _find(versions, arguments.after)
    lines = difflib.unified_diff(
        before.source.splitlines(),
        after.source.splitlines(),
        f"{before.step} v{before.number}",
        f"{after.step} v{after.number}",
        lineterm="",
    )
    text = "\n".join(lines)
    return View({"before": before, "after": after, "diff": text}, lambda: _show(text))


def _find(versions: list[StepVersion], text: str) -> StepVersion:
    known = {str(version.number): version for version in versions}
    found = known.get(text.removeprefix("v"))
    if found is None:
        raise UnknownNameError.among(f"version of '{versions[0].step}'", text, [f"v{number}" for number in known])
    return found


def _show(text: str) -> RenderableType:
    from rich.text import Text

    if not text:
        return "The two are the same."
    shown = Text()
    for line in text.splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        shown.append(line + "\n", style)
    shown.rstrip()
    return shown


VERB = Verb("diff", "what changed between two versions of a step", _configure, _run)
