"""Which verbs there are: each noun lists its own. Their modules are imported when a verb is called, so that `%mlops status`
pays for status only.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.verbs import parameters, project, runs, schedules, steps, store, workers
from jupyter_mlops.verbs.framework.entry import Entry
from jupyter_mlops.verbs.framework.verb import CLI as CLI
from jupyter_mlops.verbs.framework.verb import Context, Parser, Verb, View


def _listed() -> Iterator[Entry]:
    for noun in (steps, runs, workers, parameters, schedules, store, project):
        folder = noun.__name__.rpartition(".")[2]
        for entry in noun.VERBS:
            yield replace(entry, module=f"{folder}.{entry.module or entry.name}")
    yield Entry("help", "what verbs there are, and what one takes", module="help")


ENTRIES = tuple(_listed())


def entries(surface: str) -> list[Entry]:
    """The verbs that a surface offers and lists."""
    return [entry for entry in ENTRIES if surface in entry.surfaces]


def find(name: str, surface: str) -> Verb:
    """The verb called `name`. Raises `UnknownNameError` with a did-you-mean."""
    known = {entry.name: entry for entry in entries(surface)}
    if name not in known:
        raise UnknownNameError.among("verb", name, known)
    verb = importlib.import_module(known[name].path).VERB
    assert isinstance(verb, Verb)
    return verb


def parser_of(verb: Verb, program: str) -> Parser:
    """The verb's parser, with the options that every verb has."""
    parser = Parser(prog=f"{program} {verb.name}", description=verb.help[:1].upper() + verb.help[1:] + ".")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    verb.configure(parser)
    return parser


def call(words: list[str], context: Context, program: str) -> tuple[View, argparse.Namespace]:
    """Parse `words` (a verb and its arguments) and call the verb."""
    verb = find(words[0] if words else "help", context.surface)
    arguments = parser_of(verb, program).parse_args(words[1:])
    return verb.run(arguments, context), arguments


def split(line: str) -> list[str]:
    """A magic's line as words. Raises `InputError` for open quotes."""
    from jupyter_mlops.errors import InputError

    try:
        return shlex.split(line)
    except ValueError as error:
        raise InputError(f"'%mlops {line}' cannot be read: {error}.", "Close the quotes.") from error


def help_lines(surface: str) -> list[tuple[str, str]]:
    """Name and help of each verb."""
    return [(entry.name, entry.help) for entry in entries(surface)]


def as_data(surface: str) -> list[dict[str, Any]]:
    """The same for `--json`."""
    return [{"name": name, "help": text} for name, text in help_lines(surface)]
