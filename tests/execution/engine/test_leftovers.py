"""A process that a cell left behind in a session of its own is named when the run ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from notebooks import code, write_notebook

from jupyter_mlops.jobs.running.events import WARNING, RunEvent
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store.store import Store

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(not os.path.isdir("/proc"), reason="processes are told by Linux")]


def test_a_process_in_a_session_of_its_own_is_named_in_the_end_and_in_the_record(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb",
        code("import pathlib, subprocess"),
        code(
            "left = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
            "gone = subprocess.run(['sleep', '0'])\npathlib.Path('pid').write_text(str(left.pid))"
        ),
    )
    told: list[RunEvent] = []
    run_notebook(path, {}, on_event=told.append)
    pid = int((tmp_path / "pid").read_text())
    assert psutil.Process(pid).name() == "sleep"
    os.kill(pid, signal.SIGKILL)
    (message,) = [event.message for event in told if event.kind == WARNING]
    assert message == f"Processes that the notebook started are still running: sleep (pid {pid})."
    with Store.open(path) as store:
        events = list(store.journals.read(store.runs.get(1).id))
    assert message in [event["message"] for event in events if event["event"] == "warning"]


def test_where_nothing_goes_on_nothing_is_said(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("import subprocess\n_ = subprocess.run(['sleep', '0'])"))
    told: list[RunEvent] = []
    run_notebook(path, {}, on_event=told.append)
    assert [event.message for event in told if event.kind == WARNING] == []
