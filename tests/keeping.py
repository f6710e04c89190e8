"""Stored results of any age, for the tests of keeping house."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.storage import Transfer
from jupyter_mlops.operations.store.exporting import export_store
from jupyter_mlops.operations.store.importing import import_store
from jupyter_mlops.store.store import Store

NOW = datetime.now(timezone.utc)


def add_run(store: Store, **values: Any) -> Run:
    """A run, completed where nothing else is said."""
    given = {"kind": "job", "notebook": "nb.ipynb", "status": Status.COMPLETED, "created_at": NOW} | values
    return store.runs.create(Run(**({"id": store.new_id(), "number": 0} | given)))


def put(store: Store, data: bytes, *, hours: float = 48) -> str:
    """A signed object put so long ago."""
    name = store.objects.put(data, signed=True)
    age(store, name, hours=hours)
    return name


def age(store: Store, *names: str, hours: float = 48) -> None:
    """Make objects as old as if they had been put then."""
    at = NOW.timestamp() - hours * 3600
    for name in names:
        os.utime(store.objects.path(name), (at, at))


def add_result(
    store: Store, step: str = "train", *, days: float = 100, data: bytes | None = None, hours: float = 48, **values: Any
) -> StepRun:
    """A completed step run of `days` ago with a stored result, in a run of its own where none is given."""
    at = NOW - timedelta(days=days)
    run_id = values.pop("run_id", None) or add_run(store, created_at=at).id
    identity = store.new_id()
    made = StepRun(
        id=identity,
        run_id=run_id,
        notebook="nb.ipynb",
        step=step,
        version=1,
        version_digest=f"digest of {step}",
        position=1,
        status=Status.COMPLETED,
        key=f"key of {step}",
        started_at=at,
        ended_at=at,
    )
    if "result" not in values:
        values["result"] = put(store, data or f"result {identity}".encode(), hours=hours)
    made = replace(made, **values)
    store.steps.version(made.notebook, made.step, made.version_digest, "x = 1", now=at)
    store.steps.record(made)
    return made


def kept(store: Store, *step_runs: StepRun) -> list[bool]:
    """Which of them still have their result, bytes and all."""
    return [(name := store.steps.run(each.id).result) is not None and name in store.objects for each in step_runs]


def export(store: Store, name: str = "runs.zip", **chosen: Any) -> Path:
    file = store.root / name
    export_store(store, file, now=NOW, **chosen)
    return file


def bring(store: Store, file: Path, **options: Any) -> Transfer:
    return import_store(store, file, now=NOW, **options)


def fill(store: Store) -> tuple[StepRun, StepRun]:
    """A run with a notebook, a computed step and one that was reused from an earlier run."""
    source = add_result(store, "load", display=put(store, b"shown"), metrics={"auc": float("nan")})
    run = add_run(store, notebook_object=put(store, b"{}"), environment=put(store, b"[]"), parameters={"rate": 0.5})
    add_result(store, "load", status=Status.REUSED, result=None, reused_from=source.id, run_id=run.id)
    return source, add_result(store, run_id=run.id, files={str(store.root / "out.csv"): put(store, b"a,b")})


def contents(store: Store) -> tuple[list[Any], list[Any], set[str]]:
    return store.runs.list(), store.steps.runs(), set(store.objects.names())
