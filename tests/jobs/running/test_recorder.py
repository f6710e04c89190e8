"""What the index shows of a run while it is executed."""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
import pytest
from notebooks import code, write_notebook

from jupyter_mlops.domain.run import Progress
from jupyter_mlops.domain.status import Status
from jupyter_mlops.execution.notebook.events import CellEnded, CellStarted, ExecutionStarted
from jupyter_mlops.execution.notebook.outcome import NotebookOutcome
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import create_run
from jupyter_mlops.jobs.running import recorder as module
from jupyter_mlops.jobs.running.recorder import Recorder
from jupyter_mlops.store.store import Store


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setattr(module, "PROGRESS_SECONDS", 0.2)
    path = write_notebook(tmp_path / "a.ipynb", *(code(f"x = {number}") for number in range(3)))
    store = Store.open(tmp_path)
    made = Recorder(store, create_run(store, check_request(path, {}), kind="job", now=store.now()))
    assert made.begin()
    made.on_event(ExecutionStarted(nbformat.read(path, 4)))
    return made


def test_a_long_cell_after_short_ones_is_shown_though_nothing_follows(recorder: Recorder) -> None:
    for index in (0, 1):
        recorder.on_event(CellStarted(index))
        recorder.on_event(CellEnded(index, failed=False, duration=0.0))
    recorder.on_event(CellStarted(2))
    end = time.monotonic() + 30
    while recorder.store.runs.get(recorder.run.id).progress.cells_done < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert recorder.store.runs.get(recorder.run.id).progress == Progress(2, 3, None)


def test_nothing_is_told_of_a_run_that_has_ended(recorder: Recorder) -> None:
    recorder.on_event(CellStarted(0))
    recorder.on_event(CellEnded(0, failed=False, duration=0.0))
    ended = recorder.end(NotebookOutcome(Status.COMPLETED))
    time.sleep(0.5)
    assert recorder.store.runs.get(ended.id).progress == ended.progress == Progress(1, 3, None)
