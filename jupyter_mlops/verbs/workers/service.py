"""`service install | uninstall | status`: worker and scheduler of a project as systemd user units."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rich.markup import escape

from jupyter_mlops.store.project.folder import project_for
from jupyter_mlops.verbs.framework import tables
from jupyter_mlops.verbs.framework.verb import CLI, Context, Verb, View
from jupyter_mlops.verbs.workers.worker import slots

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jupyter_mlops.operations.workers.service import Unit


def _configure(parser: argparse.ArgumentParser) -> None:
    forms = parser.add_subparsers(dest="form", required=True, metavar="install|uninstall|status")
    install = forms.add_parser("install", help="start worker and scheduler now and whenever you log in")
    install.add_argument("--print", dest="only_print", action="store_true", help="print the units and write nothing")
    install.add_argument("--slots", type=slots, metavar="N", help="how many runs the worker executes at once")
    forms.add_parser("uninstall", help="stop and remove them")
    forms.add_parser("status", help="show whether they are installed and running")
    for form in forms.choices.values():
        form.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def _run(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.workers import service

    root = project_for(context.start)
    if arguments.form == "status":
        units = service.status(root)
        return View(units, lambda: _table(units))
    if arguments.form == "uninstall":
        gone = service.uninstall(root)
        return View(gone, lambda: _gone(gone))
    if arguments.only_print or not service.is_there():
        made = service.units(root, slots=arguments.slots)
        return View(made, lambda: _printed(made, there=service.is_there()))
    installed = service.install(root, slots=arguments.slots)
    return View(installed, lambda: _table(installed))


def _table(units: tuple[Unit, ...]) -> RenderableType:
    made = tables.table("unit", "state", "file")
    for unit in units:
        style = "green" if unit.state == "active" else "yellow"
        made.add_row(escape(unit.name), f"[{style}]{escape(unit.state)}[/]", escape(str(unit.file)))
    return made


def _gone(units: tuple[Unit, ...]) -> str:
    return f"Removed {', '.join(escape(unit.name) for unit in units)}." if units else "Nothing was installed."


def _printed(units: tuple[Unit, ...], *, there: bool) -> RenderableType:
    from rich.console import Group

    parts: list[RenderableType] = []
    if not there:
        parts.append("There is no systemd for this user here, so nothing was written. On a machine with systemd:")
    for unit in units:
        parts += [f"\n[bold]# {escape(str(unit.file))}[/]", tables.Verbatim(unit.text.rstrip("\n"))]
    names = " ".join(unit.name for unit in units)
    parts.append(
        "\nWrite the files, then:\n"
        "  systemctl --user daemon-reload\n"
        f"  systemctl --user enable --now {escape(names)}\n"
        "  loginctl enable-linger   [dim]# so that they run without a login[/]"
    )
    return Group(*parts)


VERB = Verb("service", "worker and scheduler as systemd user units", _configure, _run, (CLI,))
