"""`notices list | retry | test`: word of how runs ended, to webhooks, mail and commands."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jupyter_mlops.domain.notice import GIVEN_UP, PENDING, Notice
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs.framework import tables
from jupyter_mlops.verbs.framework.numbers import count
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

if TYPE_CHECKING:
    from rich.console import RenderableType

LIMIT = 20
_STYLES = {PENDING: "blue", GIVEN_UP: "bold red"}


def _configure(parser: argparse.ArgumentParser) -> None:
    forms = parser.add_subparsers(dest="form", metavar="list|retry|test")
    show = forms.add_parser("list", help="notifications, newest first")
    show.add_argument("-n", "--limit", type=count, default=LIMIT, help="how many to show (20)")
    retry = forms.add_parser("retry", help="try again everything that was given up, or one notification")
    retry.add_argument("id", nargs="?", help="the beginning of the notification's id (default: all that were given up)")
    test = forms.add_parser("test", help="send a test event to a target now")
    test.add_argument("target", metavar="[EVENTS=]TARGET", help="as for `run --notify`")
    for form in forms.choices.values():
        form.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON instead of text")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    from rich.markup import escape

    from jupyter_mlops.operations.runs.notices import retry_notices, try_target

    with open_project(context) as store:
        if arguments.form == "retry":
            chosen = retry_notices(store, arguments.id, now=store.now())
            return View(chosen, lambda: f"{len(chosen)} to be tried again.")
        if arguments.form == "test":
            sent = try_target(store, arguments.target, now=store.now())
            return View(sent, lambda: f"[green]Sent[/] to {escape(sent.target)}: a test {sent.event}.")
        notices = store.notices.list(limit=getattr(arguments, "limit", LIMIT))
        numbers = {notice.run_id: _number(store, notice.run_id) for notice in notices}
    return View(notices, lambda: _show(notices, numbers))


def _number(store: Store, run_id: str) -> str:
    from jupyter_mlops.errors import UnknownNameError

    try:
        return str(store.runs.get(run_id).number)
    except UnknownNameError:
        return "?"


def _show(notices: list[Notice], numbers: dict[str, str]) -> RenderableType:
    from rich.console import Group
    from rich.markup import escape

    if not notices:
        return "There are no notifications yet. Add a target to a run: run NOTEBOOK --notify TARGET"
    made = tables.table("id", "run>", "event", "target", "status", "tries>", "when", "error")
    for notice in notices:
        style = _STYLES.get(notice.status, "green")
        made.add_row(
            notice.id[:8],
            numbers[notice.run_id],
            notice.event,
            escape(notice.target),
            f"[{style}]{notice.status.replace('_', ' ')}[/]",
            str(notice.attempts),
            tables.ago(notice.created_at),
            escape(tables.short(notice.error)),
        )
    given_up = any(notice.status == GIVEN_UP for notice in notices)
    return Group(made, *(["To try again everything that was given up: notices retry"] if given_up else []))


VERB = Verb("notices", "notifications about runs, to webhooks, mail and commands: list, retry, test", _configure, _run)
