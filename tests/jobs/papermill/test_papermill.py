"""papermill itself, with our engine: its command line and its `execute_notebook`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from notebooks import code, read, shown, statuses, text, write_notebook

from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel


def papermill(folder: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "papermill", "--engine", "mlops", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, input=stdin)


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(
        tmp_path / "sub" / "a.ipynb",
        text("# A"),
        code("n = 1\nname = 'x'\nitems = []", "parameters"),
        code("%%step s\nimport os\nprint(os.getcwd(), n)"),
    )


def test_the_command_line_does_the_same_run(tmp_path: Path, notebook: Path) -> None:
    (tmp_path / ".mlops").mkdir()
    done = papermill(tmp_path, "sub/a.ipynb", "out.ipynb", "-p", "n", "7", "--log-output", "--report-mode")
    assert done.returncode == 0, done.stderr
    output = read(tmp_path / "out.ipynb")
    assert statuses(output) == ["completed"] * 3
    assert output["cells"][2]["metadata"]["tags"] == ["injected-parameters"]
    assert output["cells"][2]["metadata"]["jupyter"]["source_hidden"] is True
    # The working directory is papermill's, not the notebook's.
    assert shown(output["cells"][3]) == f"{tmp_path} 7\n"
    assert "Executing Cell 4---" in done.stderr
    assert f"{tmp_path} 7" in done.stderr
    with Store.open(tmp_path) as store:
        (run,) = store.runs.list()
        assert (run.status, run.kind, run.notebook, run.output_path) == (
            Status.COMPLETED,
            "job",
            "sub/a.ipynb",
            "out.ipynb",
        )
        assert run.parameters == {"n": 7, "name": "x", "items": []}
        steps = store.steps.runs(run_id=run.id)
        assert [item.step for item in steps if item.is_named] == ["s"]
        assert {item.cell_id for item in steps} == {
            cell["id"] for cell in output["cells"] if cell["cell_type"] == "code"
        }


def test_standard_input_and_output(tmp_path: Path, notebook: Path) -> None:
    done = papermill(tmp_path, "-", "-", "-r", "name", "007", "--no-progress-bar", stdin=notebook.read_text())
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert statuses(output) == ["completed"] * 3
    assert "007" in "".join(output["cells"][2]["source"])


def test_a_killed_kernel_is_told_truly_and_with_papermills_exit_code(tmp_path: Path) -> None:
    write_notebook(
        tmp_path / "a.ipynb", code("x = 1"), code("import os\nos.kill(os.getpid(), 9)"), text("# end"), code("y = 2")
    )
    done = papermill(tmp_path, "a.ipynb", "out.ipynb", "--no-request-save-on-cell-execute")
    assert done.returncode == 138
    assert "SIGKILL" in done.stderr
    output = read(tmp_path / "out.ipynb")
    assert statuses(output) == ["completed", "failed", "pending"]
    assert output["metadata"]["papermill"]["exception"] is True
    assert "papermill-error-cell" in "".join(output["cells"][0]["source"])


def test_what_papermill_lets_through_is_refused(tmp_path: Path, notebook: Path) -> None:
    before = notebook.read_bytes()
    done = papermill(tmp_path, "sub/a.ipynb", "out.ipynb", "-p", "name", "007")
    assert done.returncode == 1
    assert "has a default of type str" in done.stderr
    assert "-r name VALUE" in done.stderr
    import papermill as pm

    for parameters, output, kind, match in (
        ({"nn": 7}, "out.ipynb", UnknownNameError, "no parameter named 'nn'"),
        ({"n": (1, 2)}, "out.ipynb", InputError, "a default of type int"),
        ({"items": (1, 2)}, "out.ipynb", InputError, "papermill would set 'items' to '\\(1, 2\\)'"),
        ({"items": [date(2026, 1, 1)]}, "out.ipynb", InputError, "papermill would set 'items'"),
        ({}, "sub/a.ipynb", InputError, "never overwritten"),
        ({}, "none/out.ipynb", InputError, "does not exist"),
    ):
        with pytest.raises(kind, match=match):
            pm.execute_notebook(notebook, tmp_path / output, parameters, engine_name="mlops", progress_bar=False)
    assert notebook.read_bytes() == before
    assert not (tmp_path / "out.ipynb").exists()


def test_prepare_only_executes_nothing(tmp_path: Path, notebook: Path) -> None:
    done = papermill(tmp_path, "sub/a.ipynb", "out.ipynb", "-p", "n", "7", "--prepare-only")
    assert done.returncode == 0
    assert not (notebook.parent / ".mlops").exists()
    assert read(tmp_path / "out.ipynb")["cells"][2]["metadata"]["tags"] == ["injected-parameters"]


def test_a_terminated_papermill_stops_its_kernel_and_saves(tmp_path: Path) -> None:
    write_notebook(tmp_path / "a.ipynb", code("x = 1"), code("open('begun', 'w')\nimport time\ntime.sleep(100)"))
    command = [sys.executable, "-m", "papermill", "--engine", "mlops", "a.ipynb", "out.ipynb"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    end = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert statuses(read(tmp_path / "out.ipynb")) == ["completed", "failed"]
    with Store.open(tmp_path) as store:
        assert [run.status for run in store.runs.list()] == [Status.CANCELED]


def test_the_function_raises_what_papermills_users_know(tmp_path: Path, notebook: Path) -> None:
    import papermill as pm

    before = os.getcwd()
    slow = write_notebook(tmp_path / "slow.ipynb", code("import time\ntime.sleep(100)"), code("y = 2"))
    with pytest.raises(pm.PapermillExecutionError, match="timed out"):
        pm.execute_notebook(
            slow, tmp_path / "out.ipynb", engine_name="mlops", execution_timeout=1, progress_bar=False, cwd=tmp_path
        )
    assert statuses(read(tmp_path / "out.ipynb")) == ["failed", "pending"]
    assert os.getcwd() == before


def test_within_a_running_event_loop_and_another_working_directory(tmp_path: Path, notebook: Path) -> None:
    """As a notebook's own cell calls it."""
    import asyncio

    import papermill as pm

    async def call() -> None:
        pm.execute_notebook(
            notebook, tmp_path / "out.ipynb", {"n": 2}, engine_name="mlops", progress_bar=False, cwd=str(tmp_path)
        )

    asyncio.run(call())
    with Store.open(notebook) as store:
        assert store.runs.get(1).in_shared_process
    assert shown(read(tmp_path / "out.ipynb")["cells"][3]) == f"{tmp_path} 2\n"


def test_importing_papermill_costs_nothing_of_ours() -> None:
    look = "import sys, papermill; print([name for name in sys.modules if name.startswith('jupyter_mlops')])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert (
        done.stdout.strip()
        == "['jupyter_mlops', 'jupyter_mlops.jobs', 'jupyter_mlops.jobs.papermill', 'jupyter_mlops.jobs.papermill.engine']"
    )
