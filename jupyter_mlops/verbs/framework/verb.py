"""What a verb is: a name, its arguments, and a function that calls one operation or reads the store and gives a View."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from jupyter_mlops.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from jupyter_mlops.operations.runs.live import Live

CLI = "cli"
MAGIC = "magic"


@dataclass(frozen=True)
class Context:
    """Where a verb is called from.

    `start` is the folder the project is looked up from; `notebook` the live notebook's path in a kernel, else None;
    `console` where long verbs show progress; `live` the kernel itself, None outside of one.
    """

    surface: str
    start: Path
    console: Console
    notebook: Path | None = None
    live: Live | None = None


@dataclass(frozen=True)
class View:
    """A verb's answer: `data` for `--json` (anything `to_wire` takes), `show` for people (a rich renderable).

    `bundle` gives what a notebook shows in its place: text by media type.
    """

    data: Any
    show: Callable[[], RenderableType]
    exit_code: int = 0
    bundle: Callable[[], Mapping[str, str]] | None = None


@dataclass(frozen=True)
class Verb:
    """One verb. `run` gets the parsed arguments; `surfaces` says where it is offered."""

    name: str
    help: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Context], View]
    surfaces: tuple[str, ...] = (CLI, MAGIC)


class Parser(argparse.ArgumentParser):
    """argparse that raises `InputError` in place of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message[:1].upper() + message[1:] + ".", " ".join(self.format_usage().split()))


def no_arguments(parser: argparse.ArgumentParser) -> None:
    """For verbs that take none."""
