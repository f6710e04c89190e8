"""A project with a record of runs, and what a verb answers in it."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.operations.runs.live import Live
from jupyter_mlops.store import open_store
from jupyter_mlops.store.store import Store
from jupyter_mlops.verbs import table
from jupyter_mlops.verbs.framework.verb import CLI, Context

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
CELLS = {"load": "%%step load\nnumbers = [1, 2]", "train": "%%step train\nscore = sum(numbers)"}


def write_notebook(path: Path, cells: Mapping[str, str] = CELLS) -> None:
    data = [
        {"cell_type": "code", "id": name, "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for name, source in cells.items()
    ]
    path.write_text(json.dumps({"cells": data, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def context(folder: Path, surface: str = CLI, notebook: Path | None = None, live: Live | None = None) -> Context:
    return Context(surface, folder, Console(file=io.StringIO()), notebook, live)


def text_of(folder: Path, line: str, **where: Any) -> str:
    """What a verb shows people."""
    view, _ = table.call(shlex.split(line), context(folder, **where), "jupyter mlops")
    console = Console(file=io.StringIO(), width=160, highlight=False)
    console.print(view.show(), crop=False)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def data_of(folder: Path, line: str, **where: Any) -> Any:
    """What a verb gives as JSON."""
    view, arguments = table.call([*shlex.split(line), "--json"], context(folder, **where), "jupyter mlops")
    assert arguments.json
    return json.loads(json.dumps(to_wire(view.data), allow_nan=False))


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


def add_run(store: Store, **values: Any) -> Run:
    given = {"kind": "job", "notebook": "nb.ipynb", "status": Status.COMPLETED, "created_at": NOON} | values
    return store.runs.create(Run(**({"id": store.new_id(), "number": 0} | given)))


def add_step(store: Store, run: Run, name: str, code: str, **values: Any) -> StepRun:
    """A step run of `code`, completed where nothing else is said."""
    facts = cell_facts(code)
    version = store.steps.version(run.notebook, name, facts.digest, code, now=NOON)
    made = StepRun(
        id=store.new_id(),
        run_id=run.id,
        notebook=run.notebook,
        step=name,
        version=version.number,
        version_digest=facts.digest,
        position=len(store.steps.runs(run_id=run.id)) + 1,
        status=Status.COMPLETED,
        why=Reason(ReasonCode.HAD_NOT_RUN),
        duration=0.5,
        started_at=NOON + timedelta(minutes=run.number),
        ended_at=NOON + timedelta(minutes=run.number, seconds=1),
    )
    made = replace(made, **values)
    store.steps.start_run(made)
    return made


def filled(folder: Path) -> Path:
    """`nb.ipynb` and two runs: in the first both steps ran, in the second `load` was reused and `train` changed."""
    write_notebook(folder / "nb.ipynb")
    with open_store(folder) as store:
        first = add_run(store, parameters={"rate": 0.5, "name": "[b]"}, started_at=NOON, ended_at=NOON)
        loaded = add_step(store, first, "load", "numbers = [1, 2]")
        add_step(store, first, "train", "score = 0", metrics={"auc": 0.5})
        second = add_run(store, kind="session", status=Status.FAILED, metrics={"auc": 0.75})
        add_step(
            store,
            second,
            "load",
            "numbers = [1, 2]",
            status=Status.REUSED,
            reused_from=loaded.id,
            why=Reason(ReasonCode.NOTHING_CHANGED),
        )
        add_step(
            store,
            second,
            "train",
            "score = sum(numbers)",
            status=Status.FAILED,
            error="ValueError: no\nmore",
            why=Reason(ReasonCode.CODE_CHANGED),
        )
    return folder
