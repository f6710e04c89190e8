"""`%mlops VERB ...`: parses, calls the verb, shows its view in the notebook; two lines for an error and no traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.verbs import table
from jupyter_mlops.verbs.framework.target import notebook_file
from jupyter_mlops.verbs.framework.verb import MAGIC, Context

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from jupyter_mlops.capture.session.session import Session


_LONGEST = 80
"""Signs of a word that are shown in one line of a table; what is longer goes on in the next."""


class VerbError(Exception):
    """A verb that failed: the cell fails, and IPython shows two lines in place of a traceback."""

    def __init__(self, error: MLOpsError) -> None:
        super().__init__(error.message)
        self.error = error

    def _render_traceback_(self) -> list[str]:
        return [f"Error: {self.error.message}", *([f"Hint: {self.error.hint}"] if self.error.hint else [])]


def run_line(line: str, session: Session, form: Callable[[Path], None] | None = None) -> None:
    """Run one `%mlops` line; `form` shows the form of a notebook. Raises `VerbError`."""
    try:
        words = table.split(line)
        if words[:1] == ["drain"]:
            session.run.writing.drain(600.0)
            return
        if words[:1] == ["form"] and form is not None:
            arguments = table.parser_of(table.find("form", MAGIC), "%mlops").parse_args(words[1:])
            if not arguments.json:
                form(notebook_file(arguments.notebook, _context(session)))
                return
        session.run.writing.drain(30.0)
        view, arguments = table.call(words, _context(session), "%mlops")
    except MLOpsError as error:
        raise VerbError(error) from None
    if arguments.json:
        sys.stdout.write(dumps(to_wire(view.data), indent=2, ensure_ascii=False) + "\n")
        return
    if view.bundle is not None:
        session.context.shell.display_pub.publish(data=dict(view.bundle()), metadata={})
        return
    _display(view.show())


def _context(session: Session) -> Context:
    from jupyter_mlops.magics.live import LiveKernel

    return Context(MAGIC, session.context.start_folder, _lines(), session.context.notebook_path, LiveKernel(session))


def _lines() -> Console:
    """For a line now and then while a verb works: they are one text below the cell, in the colours of a terminal."""
    from rich.console import Console

    return Console(file=sys.stdout, force_terminal=True, force_jupyter=False, color_system="standard", width=100)


def _display(renderable: RenderableType) -> None:
    from rich.console import Console

    console = Console(force_jupyter=True, highlight=False, width=120)
    _keep_words(console, renderable)
    console.print(renderable, crop=False)


def _keep_words(console: Console, renderable: RenderableType) -> None:
    """Let no word or number in a table be broken: where there are too many for its width, the notebook scrolls."""
    from rich.console import Group
    from rich.table import Table

    if isinstance(renderable, Group):
        for part in renderable.renderables:
            _keep_words(console, part)
    elif isinstance(renderable, Table):
        for column in renderable.columns:
            longest = max(console.measure(cell).minimum for cell in (column.header, *column.cells))
            column.min_width = min(_LONGEST, longest)
