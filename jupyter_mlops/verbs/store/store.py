"""`store status | verify | recover | gc | export | import | move`: keeping house in what the project has stored."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta
from pathlib import Path

from jupyter_mlops.errors import InputError
from jupyter_mlops.verbs.framework.target import open_project
from jupyter_mlops.verbs.framework.verb import Context, Verb, View

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


def _configure(parser: argparse.ArgumentParser) -> None:
    forms = parser.add_subparsers(dest="form", required=True, metavar="status|verify|recover|gc|export|import|move")
    forms.add_parser("status", help="how large the store is, and which steps take the most space")
    forms.add_parser("verify", help="read everything, check every hash and reference, set aside what is damaged")
    forms.add_parser("recover", help="rebuild a lost or damaged index, from its backup and all other records")
    gc = forms.add_parser("gc", help="remove results that nothing needs; records of runs stay")
    gc.add_argument("--keep-days", type=float, metavar="N", help="keep results used in the last N days (default 30)")
    gc.add_argument(
        "--max-size", metavar="SIZE", help="remove the least recently used results until the rest fits, such as 2GB"
    )
    gc.add_argument("--dry-run", action="store_true", help="only show what would be removed")
    export = forms.add_parser("export", help="write runs with their results to an archive")
    export.add_argument("file", help="the archive: .zip, .tar or .tar.gz")
    export.add_argument("--step", metavar="NAME", help="only this step")
    export.add_argument("--run", metavar="RUN", help="only this run, by number")
    export.add_argument("--notebook", metavar="NOTEBOOK", help="only this notebook, as `runs` names it")
    importing = forms.add_parser("import", help="add the runs of an archive to this project")
    importing.add_argument("file", help="the archive that `store export` wrote")
    importing.add_argument(
        "--trust", action="store_true", help="also reuse results from another user: loading them runs that user's code"
    )
    move = forms.add_parser("move", help="move the store to PostgreSQL, its objects to a URL, or both back here")
    move.add_argument(
        "targets", nargs="*", metavar="TARGET", help="postgresql+psycopg://..., s3://BUCKET/PREFIX or embedded"
    )
    move.add_argument("--drop-backup", action="store_true", help="delete the backups that earlier moves left behind")
    for form in forms.choices.values():
        form.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON instead of text")


def _run(arguments: argparse.Namespace, context: Context) -> View:
    return _FORMS[arguments.form](arguments, context)


def _status(_: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.store.status import store_status
    from jupyter_mlops.verbs.store.view import status_view

    with open_project(context) as store:
        status = store_status(store)
    return View(status, lambda: status_view(status))


def _verify(_: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.store.verify import verify_store
    from jupyter_mlops.verbs.store.view import byte_progress, verify_view

    with open_project(context) as store, byte_progress(context.console, "verifying") as on_progress:
        report = verify_store(store, now=store.now(), on_progress=on_progress)
    return View(report, lambda: verify_view(report), exit_code=0 if report.is_sound else 1)


def _recover(_: argparse.Namespace, context: Context) -> View:
    from datetime import datetime, timezone

    from jupyter_mlops.operations.store.recovering import recover_store
    from jupyter_mlops.verbs.store.view import recovery_view

    made = recover_store(context.start, now=datetime.now(timezone.utc))
    return View(made, lambda: recovery_view(made))


def _gc(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.jobs.recovery.reconcile import reconcile
    from jupyter_mlops.operations.store.gc import collect_garbage
    from jupyter_mlops.verbs.store.view import gc_view

    if arguments.keep_days is not None and not 0 <= arguments.keep_days < 10**6:
        raise InputError("--keep-days takes a number of days, 0 or more.", "Write it as --keep-days 30.")
    keep = None if arguments.keep_days is None else timedelta(days=arguments.keep_days)
    max_size = None if arguments.max_size is None else read_size(arguments.max_size)
    with open_project(context) as store:
        reconcile(store, now=store.now())
        report = collect_garbage(store, now=store.now(), keep=keep, max_size=max_size, dry_run=arguments.dry_run)
    return View(report, lambda: gc_view(report))


def _export(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.store.exporting import export_store
    from jupyter_mlops.verbs.store.view import byte_progress, export_view

    file = _file(arguments, context)
    with open_project(context) as store, byte_progress(context.console, "exporting") as on_progress:
        made = export_store(
            store,
            file,
            now=store.now(),
            step=arguments.step,
            run=arguments.run,
            notebook=arguments.notebook,
            on_progress=on_progress,
        )
    return View(made, lambda: export_view(made))


def _import(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.store.importing import import_store
    from jupyter_mlops.store.store import Store
    from jupyter_mlops.verbs.store.view import byte_progress, import_view

    file = _file(arguments, context)
    if arguments.trust:
        context.console.print(
            "[yellow]Warning:[/] values of the archive are signed as yours. Loading them runs code that its maker chose."
        )
    with Store.open(context.start) as store, byte_progress(context.console, "importing") as on_progress:
        made = import_store(store, file, now=store.now(), trust=arguments.trust, on_progress=on_progress)
    return View(made, lambda: import_view(made))


def _move(arguments: argparse.Namespace, context: Context) -> View:
    from jupyter_mlops.operations.store.backups import drop_backups
    from jupyter_mlops.operations.store.moving import move_store
    from jupyter_mlops.verbs.store.view import byte_progress, dropped_view, move_view

    if bool(arguments.targets) == arguments.drop_backup:
        raise InputError(
            "`store move` takes a target, or --drop-backup.",
            "For example: store move postgresql+psycopg://HOST/DATABASE",
        )
    if arguments.drop_backup:
        with open_project(context) as store:
            gone = drop_backups(store.folder)
        return View({"dropped": gone}, lambda: dropped_view(gone))
    with byte_progress(context.console, "moving") as on_progress:
        moved = move_store(context.start, arguments.targets, on_progress=on_progress)
    return View(moved, lambda: move_view(moved))


def _file(arguments: argparse.Namespace, context: Context) -> Path:
    return context.start / Path(arguments.file).expanduser()


def read_size(text: str) -> int:
    """Bytes of `2GB`, `500 MB`, `1.5GiB` or a plain number. Raises `InputError`."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?\s*", text.upper())
    if found is None or found[2] not in _UNITS:
        raise InputError(f"'{text}' is not a size.", "Write it as 500MB, 2GB or 1.5GiB.")
    return int(float(found[1]) * _UNITS[found[2]])


_FORMS = {
    "status": _status,
    "verify": _verify,
    "recover": _recover,
    "gc": _gc,
    "export": _export,
    "import": _import,
    "move": _move,
}

VERB = Verb("store", "the store: size, integrity, cleanup, export, import, move", _configure, _run)
