"""A store in a folder of its own, and values to put into it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from postgresql import Cluster

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.store.db import index, schema
from jupyter_mlops.store.store import Store

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)

LATER = "9000"

LATER_REVISION = f"""
import sqlalchemy as sa
from alembic import op

revision = "{LATER}"
down_revision = "{schema.HEAD}"


def upgrade():
    op.add_column("runs", sa.Column("color", sa.String(), server_default="blue"))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store, once with each kind of index."""
    if request.param == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgresql")
        monkeypatch.setenv("MLOPS_STORE", cluster.emptied())
    with Store.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def add_run(store: Store) -> Callable[..., Run]:
    """`add_run(status=..., ...)` creates a run of `nb.ipynb`."""

    def add_run(**values: Any) -> Run:
        given = {"kind": "job", "notebook": "nb.ipynb", "status": Status.PENDING, "created_at": NOON} | values
        return store.runs.create(Run(**({"id": store.new_id(), "number": 0} | given)))

    return add_run


@pytest.fixture
def add_step_run(store: Store, add_run: Callable[..., Run]) -> Callable[..., StepRun]:
    """`add_step_run(step="train", ...)` starts a step run; it belongs to a new run where none is given."""

    def add_step_run(**values: Any) -> StepRun:
        run_id = values.pop("run_id", None) or add_run().id
        made = StepRun(
            id=store.new_id(),
            run_id=run_id,
            notebook="nb.ipynb",
            step="train",
            version=1,
            version_digest="d1",
            position=1,
            status=Status.RUNNING,
            started_at=NOON,
        )
        made = replace(made, **values)
        store.steps.start_run(made)
        return made

    return add_step_run


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package as it might be one release later, with one more revision; gives that revision's file."""
    folder = tmp_path / "migrations"
    shutil.copytree(index.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    revision = folder / "versions" / "9000_color.py"
    revision.write_text(LATER_REVISION)
    yield revision
    monkeypatch.undo()


def release(monkeypatch: pytest.MonkeyPatch, revision: Path) -> None:
    monkeypatch.setattr(index, "MIGRATIONS", revision.parent.parent)
    monkeypatch.setattr(schema, "HEAD", LATER)
