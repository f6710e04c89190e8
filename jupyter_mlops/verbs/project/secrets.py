"""`secrets list | set | remove | check`: names of secrets and where they are. Values come from a prompt or from stdin."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import TYPE_CHECKING

from jupyter_mlops.errors import InputError
from jupyter_mlops.operations.project import secrets as operations
from jupyter_mlops.verbs.framework.verb import MAGIC, Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType

_HELP_IN = "where: your own file (user), the project's (project), or the system's keyring (keyring)"


def _configure(parser: argparse.ArgumentParser) -> None:
    forms = parser.add_subparsers(dest="form", required=True, metavar="list|set|remove|check")
    forms.add_parser("list", help="list the names of all secrets, and where they are stored")
    keep = forms.add_parser("set", help="store a secret: prompts for its value, or reads it from stdin")
    keep.add_argument("name", help="the secret's name")
    keep.add_argument("values", nargs="*", help=argparse.SUPPRESS)
    keep.add_argument("--in", dest="kept_in", choices=operations.KEPT_IN, default="user", help=_HELP_IN)
    remove = forms.add_parser("remove", help="remove a secret")
    remove.add_argument("name", help="the secret's name")
    remove.add_argument("--in", dest="kept_in", choices=operations.KEPT_IN, help=_HELP_IN + "; default: everywhere")
    check = forms.add_parser("check", help="check whether kernels will find these secrets (default: all)")
    check.add_argument("names", nargs="*", metavar="name", help="names of secrets")
    for form in forms.choices.values():
        form.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON instead of text")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    return _FORMS[arguments.form](arguments, context)


def _list(_: argparse.Namespace, context: Context) -> View:
    found = operations.list_secrets(context.start)
    return View(found, lambda: _table(found))


def _set(arguments: argparse.Namespace, context: Context) -> View:
    if arguments.values:
        raise InputError(
            "A secret's value cannot be given on the command line: the shell's history would keep it, and other users "
            "could see it.",
            f"Enter it at the prompt, or use stdin: jupyter mlops secrets set {arguments.name} < FILE",
        )
    value = _value(arguments.name, context)
    where, notes = operations.set_secret(context.start, arguments.name, value, arguments.kept_in)
    text = "\n".join(
        [f"The secret '{arguments.name}' is stored in {where}.", *notes, f'In a cell: secret("{arguments.name}")']
    )
    return View({"name": arguments.name, "where": where, "notes": notes}, lambda: _plain(text))


def _value(name: str, context: Context) -> str:
    if context.surface == MAGIC or sys.stdin.isatty():
        try:
            return getpass.getpass(f"Value of {name}: ")
        except (EOFError, NotImplementedError):
            raise InputError("No value was entered.", "Type it at the prompt.") from None
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")


def _remove(arguments: argparse.Namespace, context: Context) -> View:
    removed = operations.remove_secret(context.start, arguments.name, arguments.kept_in)
    text = f"The secret '{arguments.name}' is removed: it was in {' and '.join(removed)}."
    return View({"name": arguments.name, "where": removed}, lambda: _plain(text))


def _check(arguments: argparse.Namespace, context: Context) -> View:
    found = operations.check_secrets(context.start, tuple(arguments.names))
    return View(found, lambda: _checks(found), exit_code=0 if all(item.is_found for item in found) else 1)


def _plain(text: str) -> RenderableType:
    from rich.markup import escape

    return escape(text)


def _table(listed: tuple[operations.Listed, ...]) -> RenderableType:
    from rich.markup import escape

    from jupyter_mlops.verbs.framework.tables import table

    if not listed:
        return "There are no secrets yet. Store one: jupyter mlops secrets set NAME"
    made = table("secret", "place", "where")
    for item in listed:
        made.add_row(
            escape(item.name), item.place, escape(item.where) + (" (not used: see above)" if item.hidden else "")
        )
    return made


def _checks(checks: tuple[operations.Checked, ...]) -> RenderableType:
    from rich.markup import escape

    if not checks:
        return "There are no secrets yet. Store one: jupyter mlops secrets set NAME"
    lines = [
        f"[green]✓[/] {escape(item.name)}: {escape(item.where)}"
        if item.is_found
        else f"[red]✗[/] {escape(item.name + ': ' if item.name else '')}{escape(item.problem)}\n  {escape(item.hint)}"
        for item in checks
    ]
    return "\n".join(lines)


_FORMS = {"list": _list, "set": _set, "remove": _remove, "check": _check}

VERB = Verb("secrets", "secrets by name: list, set, remove, check", _configure, _run)
