"""Which verbs there are. Their modules are imported when a verb is called, so that `%mlops status` pays for status only."""

from __future__ import annotations

import argparse
import importlib
import shlex
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.errors import UnknownNameError
from jupyter_mlops.verbs.verb import CLI, MAGIC, Context, Parser, Verb, View


@dataclass(frozen=True)
class Entry:
    """A verb's name, its line of help, and where it is offered."""

    name: str
    help: str
    surfaces: tuple[str, ...] = (CLI, MAGIC)
    module: str = ""
    """Where it is not called as the verb is: a verb of one name may do its work in another way on either surface."""


ENTRIES = (
    Entry("status", "the notebook's steps in order, each fresh, stale, running, failed or never run, and why"),
    Entry("steps", "all steps recorded in the project, with their versions and last run"),
    Entry("log", "the versions and runs of one step"),
    Entry("diff", "what changed between two versions of a step"),
    Entry("restore", "bring back the code of an earlier version of a step"),
    Entry("why", "why a step ran, or would run, or was reused"),
    Entry("plan", "what would run, what would be reused, and how long it should take"),
    Entry("deps", "what a step reads, from which step, and what reads it"),
    Entry("graph", "draw the pipeline"),
    Entry(
        "runs",
        "the project's runs, newest first; also `runs compare A B` and `runs notebook RUN`",
    ),
    Entry("run", "run a notebook as a job through papermill", (CLI,)),
    Entry("run", "run the notebook's steps in this kernel, in order", (MAGIC,), "run_live"),
    Entry("resume", "continue a run that did not complete: steps it had finished are not executed again", (CLI,)),
    Entry("open", "make a notebook that opens at the cell where a run failed"),
    Entry("attach", "bring the variables of a failed run into this kernel, as they were before it failed", (MAGIC,)),
    Entry("submit", "put a run of a notebook into the queue, for a worker to execute", (CLI,)),
    Entry("jobs", "the queue: list, show, logs, cancel, retry, remove"),
    Entry("worker", "execute runs from the queue, in the foreground", (CLI,)),
    Entry("service", "worker and scheduler as systemd user units: install, uninstall, status", (CLI,)),
    Entry("capture", "make every cell a step: on, off, status", (MAGIC,)),
    Entry("cancel", "cancel a run that has not ended"),
    Entry("params", "the notebook's parameters: types, defaults, ranges; and the values a run would have"),
    Entry("form", "a form for the notebook's parameters that starts a job", (MAGIC,)),
    Entry("schedule", "schedules: add, list, remove"),
    Entry("scheduler", "start scheduled runs when they are due, in the foreground", (CLI,)),
    Entry("notices", "notifications about runs, to webhooks, mail and commands: list, retry, test"),
    Entry("secrets", "secrets by name: list, set, remove, check"),
    Entry("store", "the store: size, integrity, cleanup, export, import, move"),
    Entry("new", "create a project from a template", (CLI,)),
    Entry("templates", "list the available templates", (CLI,)),
    Entry("demo", "create the demo project, run it twice and compare", (CLI,)),
    Entry("help", "list the verbs, or show what one verb takes"),
)


def entries(surface: str) -> list[Entry]:
    """The verbs that a surface offers and lists."""
    return [entry for entry in ENTRIES if surface in entry.surfaces]


def find(name: str, surface: str) -> Verb:
    """The verb called `name`. Raises `UnknownNameError` with a did-you-mean."""
    known = {entry.name: entry for entry in entries(surface)}
    if name not in known:
        raise UnknownNameError.among("verb", name, known)
    verb = importlib.import_module(f"jupyter_mlops.verbs.{known[name].module or name}").VERB
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
