"""Notebooks that could not be saved for a full disk: they are written as soon as there is room."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dying import dies_on, killed
from nbformat import v4
from notebooks import code, read, shown, statuses, write_notebook
from repaired import WHILE, owed, reconciled

from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import RunError, StoreError
from jupyter_mlops.execution.notebook import output_file
from jupyter_mlops.execution.notebook.events import CellStarted, ExecutionStarted
from jupyter_mlops.execution.notebook.papermill_metadata import Ledger
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import create_run
from jupyter_mlops.jobs.recovery import recover
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.jobs.running.recorder import Recorder
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store.files import journals
from jupyter_mlops.store.files.locks import file_lock
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel


class Disk:
    """A disk that takes `room` files of notebooks, and then no more until it `has_room`."""

    def __init__(self, room: int = 1) -> None:
        self.room = room
        self.has_room = False
        self.refused: list[bytes] = []
        self._write = output_file.write_atomically

    def write(self, path: Path, chunks: list[bytes], sync: bool = True) -> None:
        if self.room <= 0 and not self.has_room:
            self.refused.extend(chunks)
            raise StoreError(f"'{path}' cannot be written: No space left on device.", "Free some.")
        self.room -= 1
        self._write(path, chunks, sync)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(output_file, "write_atomically", made.write)
    return made


def comparable(notebook: dict[str, Any]) -> Any:
    """Without the moments at which things happened, and what the kernel told of itself."""
    found = v4.reads(json.dumps(notebook))
    found.metadata.pop("language_info", None)
    for cell in [found, *found.cells]:
        for name in ("start_time", "end_time", "duration"):
            cell.metadata.get("papermill", {}).pop(name, None)
        if ERROR_TAG in cell.metadata.get("tags", []):
            cell.pop("id")
    return found


ERROR_TAG = "papermill-error-cell-tag"
ENDS = {
    "not_saved": ("y = 2\nprint('second')", ["completed", "completed", "completed"]),
    "cell_error": ("print('second')\n1 / 0", ["completed", "failed", "pending"]),
    "kernel_died": ("print('second', flush=True)\nimport os\nos._exit(3)", ["completed", "failed", "pending"]),
}


@pytest.mark.parametrize("cause", list(ENDS))
def test_a_notebook_that_could_not_be_saved_is_written_when_there_is_room(
    tmp_path: Path, disk: Disk, cause: str
) -> None:
    source, expected = ENDS[cause]
    path = write_notebook(tmp_path / "a.ipynb", code("x = 1\nprint('first')"), code(source), code("z = 3"))
    with pytest.raises(RunError, match="could not be saved"):
        run_notebook(path, {})
    executed = tmp_path / "runs" / "a-1.ipynb"
    before = executed.read_bytes()
    refused = len(disk.refused)
    with Store.open(tmp_path) as store:
        now = store.now()
        for later in (timedelta(), timedelta(seconds=1), WHILE):
            reconcile(store, now=now + later)
        full = store.runs.get(1)
    assert len(disk.refused) == refused + 2, "a second after it was tried it is let alone"
    assert (full.status, full.error and full.error.cause) == (Status.FAILED, cause)
    assert executed.read_bytes() == before, "what is there is old, but whole"
    disk.has_room = True
    with Store.open(tmp_path) as store:
        untold = store.outbox.size()
    run = reconciled(tmp_path, 2 * WHILE)
    with Store.open(tmp_path) as store:
        assert store.outbox.size() > untold, "tracking gets the notebook"
    saved = read(executed)
    assert statuses(saved) == expected
    assert comparable(saved) == comparable(json.loads(disk.refused[refused - 1])), (
        "as its own process would have saved it"
    )
    assert (run.status, run.error and run.error.cause) == (Status.FAILED, cause)
    assert run.error is not None
    assert full.error is not None
    assert run.error.message == f"{full.error.message} {recover.LATER}"
    assert owed(tmp_path) == []
    assert reconciled(tmp_path, 3 * WHILE) == run


def test_a_file_that_is_newer_is_never_written_over(tmp_path: Path, disk: Disk) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("x = 1"))
    with pytest.raises(RunError):
        run_notebook(path, {})
    executed = tmp_path / "runs" / "a-1.ipynb"
    executed.write_text("what someone wrote since")
    disk.has_room = True
    before = reconciled(tmp_path, timedelta())
    assert executed.read_text() == "what someone wrote since"
    assert before.error is not None
    assert recover.LATER not in before.error.message
    assert owed(tmp_path) == []


def test_a_file_that_was_removed_since_is_written(tmp_path: Path, disk: Disk) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("x = 1"))
    with pytest.raises(RunError):
        run_notebook(path, {})
    (tmp_path / "runs" / "a-1.ipynb").unlink()
    (tmp_path / "runs").rmdir()
    disk.has_room = True
    reconciled(tmp_path)
    assert statuses(read(tmp_path / "runs" / "a-1.ipynb")) == ["completed"]


def test_of_a_journal_that_is_not_whole_no_notebook_is_made(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("print('much', 'text')"))
    write = os.write

    def full(descriptor: int, data: memoryview) -> int:
        if b"much text" in bytes(data):
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(journals.os, "write", full)
        with pytest.raises(RunError):
            run_notebook(path, {})
    disk.has_room = True
    run = reconciled(tmp_path)
    assert statuses(read(tmp_path / "runs" / "a-1.ipynb")) == ["pending"]
    assert run.error is not None
    assert recover.LATER not in run.error.message
    assert owed(tmp_path) == []


def test_what_is_owed_is_looked_for_and_built_by_one_process_at_a_time(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("x = 1"))
    with pytest.raises(RunError):
        run_notebook(path, {})
    disk.has_room = True
    with monkeypatch.context() as patch:
        patch.setattr(recover, "rebuild", lambda events: pytest.fail("another does it"))
        with file_lock(tmp_path / ".mlops" / "owed.lock"):
            reconciled(tmp_path)
    reconciled(tmp_path)
    assert statuses(read(tmp_path / "runs" / "a-1.ipynb")) == ["completed"]


def test_a_run_that_a_full_disk_ended_in_a_cell_says_so_there(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("x = 1"), code("y = 2"))
    with Store.open(tmp_path) as store:
        recorder = Recorder(store, create_run(store, check_request(path, {}), kind="job", now=store.now()))
        assert recorder.begin()
        store.runs.update(recorder.run.id, output_path="out.ipynb")
        notebook = v4.reads(path.read_text())
        Ledger(notebook, store.now).begin()
        for listener in recorder.listeners:
            listener.on_event(ExecutionStarted(notebook))
            listener.on_event(CellStarted(0))
        recorder.fail(StoreError("No space left on device.", "Free some."))
    run = reconciled(tmp_path)
    assert (run.status, run.error and run.error.cause) == (Status.FAILED, "not_saved")
    saved = read(tmp_path / "out.ipynb")
    assert statuses(saved) == ["failed", "pending"]
    assert saved["metadata"]["papermill"]["exception"] is True
    assert "No space left" in json.dumps(saved)


# Runners that are killed

LOCAL = """
import os, signal, sys
from pathlib import Path
from jupyter_mlops.execution.notebook import output_file as output
from jupyter_mlops.errors import MLOpsError, StoreError
from jupyter_mlops.jobs.running.recorder import Recorder
from jupyter_mlops.operations.runs.run import run_notebook

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

{before}
try:
    run_notebook(Path("a.ipynb"), {{}})
except MLOpsError as error:
    sys.exit(error.message)
"""


DIES_IN_A_CELL = dies_on("OutputWritten", "'second' in str(event.output)")
posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@posix
def test_a_lost_run_for_whose_notebook_there_is_no_room_gets_it_later(tmp_path: Path, disk: Disk) -> None:
    killed(tmp_path, LOCAL.format(before=DIES_IN_A_CELL))
    disk.room = 0
    lost = reconciled(tmp_path, timedelta())
    assert lost.status is Status.LOST
    assert lost.error is not None
    assert "The executed notebook could not be saved: '" in lost.error.message
    executed = tmp_path / "runs" / "a-1.ipynb"
    assert statuses(read(executed))[1:] != ["failed", "pending"]
    disk.has_room = True
    run = reconciled(tmp_path)
    assert (run.status, run.error and run.error.cause) == (Status.LOST, "runner_lost")
    assert run.error is not None
    assert run.error.message.endswith(recover.LATER)
    saved = read(executed)
    assert statuses(saved) == ["completed", "failed", "pending"]
    assert "second" in shown([cell for cell in saved["cells"] if cell["cell_type"] == "code"][1])


@posix
def test_a_runner_killed_after_its_last_save_failed_gets_its_notebook_whole(tmp_path: Path) -> None:
    before = (
        "from jupyter_mlops.store.files.journals import Journals\n"
        "real = output.write_atomically\n"
        "def full(path, chunks, sync=True):\n"
        "    if sync:\n        raise StoreError('No space left on device.', 'Free some.')\n"
        "    real(path, chunks, sync)\n"
        "output.write_atomically = full\nJournals.owe = die"
    )
    killed(tmp_path, LOCAL.format(before=before))
    run = reconciled(tmp_path)
    assert (run.status, run.error and run.error.cause) == (Status.FAILED, "not_saved")
    saved = read(tmp_path / "runs" / "a-1.ipynb")
    assert statuses(saved) == ["completed"] * 3
    assert saved["metadata"]["papermill"]["exception"] is None
    assert owed(tmp_path) == []
