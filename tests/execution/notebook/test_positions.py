"""The place of a step run is its cell's place in the notebook, whichever kernel executed it and whatever was left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from notebooks import code, text, write_notebook
from workers import ended, project

from jupyter_mlops.domain.run import Run, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.operations.runs.compare import compare_runs
from jupyter_mlops.operations.runs.submit import submit
from jupyter_mlops.store.store import Store

CELLS = (
    code("rate = 2", "parameters"),
    code("import time"),
    text("# Load"),
    code("%%step load\nrows = [1, 2]"),
    code("%%step slow\ntime.sleep(0.3)\nother = 1"),
    code("%%step train\nscore = sum(rows) * rate"),
    code("%%step report\nscore + other"),
)
PLACES = {"load": 4, "slow": 5, "train": 6, "report": 7}
ASKED: tuple[dict[str, Any], ...] = ({}, {"first": "train"}, {"only": "report"}, {"workers": 2})


def places(store: Store, run: Run) -> dict[str, int]:
    return {step.step: step.position for step in store.steps.runs(run_id=run.id) if step.is_named}


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", ["ordinary", "warm"])
def test_a_workers_kernels_of_both_kinds_tell_where_their_steps_stand(tmp_path: Path, kernel: str) -> None:
    path = write_notebook(tmp_path / "nb.ipynb", *CELLS)
    with project(tmp_path) as store:
        asked = [submit(store, path, {}, options=RunOptions(kernel=kernel, force="*", **each)) for each in ASKED]
        runs = [ended(store, run) for run in asked]
        assert [run.status for run in runs] == [Status.COMPLETED] * len(ASKED)
        found = [places(store, run) for run in runs]
        compared = compare_runs(store, runs[1].number, runs[0].number)
    for each in found:
        assert each == {name: PLACES[name] for name in each}
    assert {"train", "report"} <= found[1].keys()
    assert "report" in found[2]
    named = [step.name for step in compared.steps if "@" not in step.name]
    assert named == list(PLACES)
