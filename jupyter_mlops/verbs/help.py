"""`help [VERB]`: what verbs there are, and what one takes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.verbs import table as verbs
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", help="the verb to explain")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    program = "jupyter mlops" if context.surface == CLI else "%mlops"
    if arguments.verb:
        text = verbs.parser_of(verbs.find(arguments.verb, context.surface), program).format_help()
        return View({"name": arguments.verb, "help": text}, lambda: _plain(text))
    return View(verbs.as_data(context.surface), lambda: _show(context.surface, program))


def _plain(text: str) -> RenderableType:
    from rich.text import Text

    return Text(text.rstrip())


def _show(surface: str, program: str) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import table

    made = table("verb", "what it does")
    for name, text in verbs.help_lines(surface):
        made.add_row(name, escape(text))
    step = "%%step NAME \\[--metrics A,B] \\[--model VARIABLE] \\[--no-cache]   on the first line of a cell makes it a step"
    return Group(*([] if surface == CLI else [step, ""]), made, f"\n{program} help VERB explains one verb.")


VERB = Verb("help", "list the verbs, or show what one verb takes", _configure, _run)
