"""What must stay in a store whatever its age: newest results, those of open runs, of registered models, and of just now."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from jupyter_mlops.store.tables.holdings import Holding
from jupyter_mlops.tracking.uri import sqlite_path

GRACE = timedelta(hours=1)
"""What is younger is left alone: its writer may be about to record it."""


def needed_ids(held: Iterable[Holding], tracked: Iterable[tuple[str, str, str]], now: datetime) -> set[str]:
    """The step runs whose results must stay. A time in the future (the clock was set back) counts as just now."""
    held = list(held)
    registered = registered_runs(held, tracked)
    needed = set(_newest(held))
    for each in held:
        young = each.at is None or each.at > now - GRACE
        if each.run_is_open or young or each.run_id in registered:
            needed.add(each.id)
    sources = {each.id: each.reused_from for each in held}
    for step_run_id in list(needed):
        source = sources.get(step_run_id)
        while source is not None and source not in needed:
            needed.add(source)
            source = sources.get(source)
    return needed


def last_used(held: Iterable[Holding]) -> dict[str, datetime | None]:
    """When each step run's result was made or reused last."""
    used: dict[str, datetime | None] = {}
    for each in held:
        for name in filter(None, (each.id, each.reused_from)):
            known = used.get(name)
            used[name] = max(filter(None, (known, each.at)), default=None)
    return used


def registered_runs(held: Iterable[Holding], tracked: Iterable[tuple[str, str, str]]) -> set[str]:
    """Runs that made a model which is registered in MLflow, or may be: a server that is not a file is not asked."""
    models = {each.id: each.run_id for each in held if each.with_model}
    runs = {each.id: each.run_id for each in held} | {each.run_id: each.run_id for each in held}
    known: dict[Path, set[str]] = {}
    registered = set()
    for entity, address, mlflow_run in tracked:
        path = sqlite_path(address)
        if path is None:
            if entity in models:
                registered.add(models[entity])
            continue
        if path not in known:
            known[path] = _registered_in(path)
        if mlflow_run in known[path] and entity in runs:
            registered.add(runs[entity])
    return registered


def _registered_in(path: Path) -> set[str]:
    """MLflow runs whose models stand in the registry of this SQLite file; empty where it has none."""
    if not path.is_file():
        return set()
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
        ) as connection:
            return {row[0] for row in connection.execute("select run_id from model_versions") if row[0]}
    except sqlite3.OperationalError:  # made by something else, or MLflow has not made its tables yet
        return set()


def _newest(held: list[Holding]) -> set[str]:
    """Of each step the result recorded last, the one with the latest time (they differ after an import), the last reuse."""
    last: dict[tuple[str, str, str], Holding] = {}
    latest: dict[tuple[str, str], Holding] = {}
    for each in held:
        step = (each.notebook, each.step)
        if each.status == "reused" or (each.status == "completed" and each.result is not None):
            last[(*step, each.status)] = each
        if each.result is not None and each.status == "completed":
            before = latest.get(step)
            if before is None or before.at is None or (each.at is not None and each.at >= before.at):
                latest[step] = each
    return {each.id for each in (*last.values(), *latest.values())}
