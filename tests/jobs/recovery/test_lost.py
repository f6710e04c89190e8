"""Runners killed at every kind of moment, two racing for one run, and disks that are full: the record stays true."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dying import dies_on
from notebooks import code, read, shown, statuses, write_notebook
from workers import until

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import create_run
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.jobs.recovery.recover import end_by_journal
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.steps import UNSAVED

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
]

RUNNER = """
import os, signal, sys
from pathlib import Path
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.operations.runs.run import run_notebook

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

{before}
try:
    run_notebook(Path(sys.argv[1]), {{}})
except MLOpsError as error:
    print(error.message)
    sys.exit(1)
"""
"""Executes a notebook; `before` arranges when its process kills itself."""

MOMENTS = {
    "before its kernel": "from jupyter_mlops.execution.kernels import opening\nopening.open_kernel = die",
    "before the journal": "from jupyter_mlops.store.files.journals import Journals\nJournals.open = die",
    "before the first save": "from jupyter_mlops.execution.notebook.output_file import OutputFile\nOutputFile.save = die",
    "kernel starting": dies_on("KernelStarted"),
    "cell started": dies_on("CellStarted", "event.index == 1"),
    "output arrives": dies_on("OutputWritten", "'second' in str(event.output)"),
    "between cells": dies_on("CellEnded", "event.index == 1"),
    "last save": (
        "os_replace = os.replace\n"
        "def replace(one, other):\n"
        "    if str(other).endswith('.ipynb') and open(one).read().count('\"status\": \"completed\"') == 3:\n"
        "        die()\n"
        "    os_replace(one, other)\n"
        "os.replace = replace"
    ),
    "before the end is told": "from jupyter_mlops.execution.notebook.journal import JournalWriter\nJournalWriter.ended = die",
    "told to the journal alone": "from jupyter_mlops.jobs.running.recorder import Recorder\nRecorder._finish = die",
}
EXPECTED = {
    "before its kernel": None,
    "before the journal": None,
    "before the first save": None,
    "kernel starting": ["pending", "pending", "pending"],
    "cell started": ["completed", "failed", "pending"],
    "output arrives": ["completed", "failed", "pending"],
    "between cells": ["completed", "completed", "pending"],
    "last save": ["completed", "completed", "completed"],
    "before the end is told": ["completed", "completed", "completed"],
    "told to the journal alone": ["completed", "completed", "completed"],
}


def notebook(folder: Path) -> Path:
    return write_notebook(
        folder / "a.ipynb",
        code(
            "%%step one\nimport os, pathlib, time\npathlib.Path('kernel').write_text(str(os.getpid()))\nprint('first')"
        ),
        code("%%step two\nx = 2\nprint('second', flush=True)\ntime.sleep(0.5)\nprint('more')"),
        code("%%step three\ny = 3\nprint('third')"),
    )


def execute(path: Path, before: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUNNER.format(before=before), str(path)]
    return subprocess.run(command, capture_output=True, text=True, cwd=path.parent, timeout=120, **options)


def reconciled(root: Path) -> Run:
    with Store.open(root) as store:
        reconcile(store, now=store.now())
        return store.runs.get(1)


@pytest.mark.parametrize("moment", list(MOMENTS))
def test_a_runner_killed_at_any_moment_leaves_a_true_record(tmp_path: Path, moment: str) -> None:
    done = execute(notebook(tmp_path), MOMENTS[moment])
    assert done.returncode == -signal.SIGKILL, done.stderr
    run = reconciled(tmp_path)
    if moment == "told to the journal alone":
        assert (run.status, run.error) == (Status.COMPLETED, None)
    else:
        assert run.status is Status.LOST
        assert run.error is not None
        assert run.error.cause == "runner_lost"
    expected = EXPECTED[moment]
    if expected is None:
        assert not (tmp_path / "runs" / "a-1.ipynb").exists()
        return
    saved = read(tmp_path / "runs" / "a-1.ipynb")
    assert statuses(saved) == expected
    assert saved["metadata"]["papermill"]["exception"] is (None if run.status is Status.COMPLETED else True)
    cells = [cell for cell in saved["cells"] if cell["cell_type"] == "code"]
    for cell, status, word in zip(cells, expected, ["first", "second", "third"], strict=True):
        if status == "completed":
            assert word in shown(cell)
            assert cell["execution_count"] is not None
    if "failed" in expected:
        assert run.error is not None
        assert (run.error.cell_index, run.error.step) == (1, "two")
        assert cells[1]["outputs"][-1]["ename"] == "RunnerLost"
        assert "papermill-error-cell" in "".join(saved["cells"][0]["source"])
    if moment == "output arrives":
        assert "second" in shown(cells[1])
        assert "more" not in shown(cells[1])
    kernel = tmp_path / "kernel"
    if kernel.exists():
        until(lambda: not processes.is_alive(int(kernel.read_text()), None))
    with Store.open(tmp_path) as store:
        assert not any(item.status is Status.RUNNING for item in store.steps.runs())
        assert not list(store.journals.folder.glob("*.room"))


def test_a_lost_run_is_recovered_once_and_another_process_may_look_too(tmp_path: Path) -> None:
    execute(notebook(tmp_path), MOMENTS["output arrives"])
    look = "from pathlib import Path\nfrom jupyter_mlops.store.store import Store\n"
    look += "from jupyter_mlops.jobs.recovery.reconcile import reconcile\nstore = Store.open(Path('.'))\n"
    look += "print(len(reconcile(store, now=store.now())))"
    started = [
        subprocess.Popen([sys.executable, "-c", look], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert sum(int(process.communicate(timeout=60)[0]) for process in started) in (1, 2, 3)
    assert reconciled(tmp_path).status is Status.LOST
    assert statuses(read(tmp_path / "runs" / "a-1.ipynb")) == ["completed", "failed", "pending"]


def test_a_kernel_busy_in_native_code_does_not_outlive_its_runner(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb",
        code("import os, pathlib\npathlib.Path('kernel').write_text(str(os.getpid()))\nsum(iter(lambda: 1, 2))"),
        code("x = 1"),
    )
    process = subprocess.Popen([sys.executable, "-c", RUNNER.format(before=""), str(path)], cwd=tmp_path)
    kernel = int(until(lambda: (tmp_path / "kernel").exists() and (tmp_path / "kernel").read_text()))
    process.kill()
    process.wait()
    assert reconciled(tmp_path).status is Status.LOST
    until(lambda: not processes.is_alive(kernel, None))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_to_the_runner_is_recorded_as_what_it_was(tmp_path: Path, name: str) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("x = 1"), code("open('begun', 'w')\nimport time\ntime.sleep(60)"))
    # Whoever runs the tests in the background may have had signals ignored: that is inherited.
    heard = f"signal.signal(signal.{name}, signal.default_int_handler if {name == 'SIGINT'} else signal.SIG_DFL)"
    process = subprocess.Popen([sys.executable, "-c", RUNNER.format(before=heard), str(path)], cwd=tmp_path)
    until((tmp_path / "begun").exists)
    process.send_signal(getattr(signal, name))
    process.wait(timeout=60)
    assert process.returncode == 1
    run = reconciled(tmp_path)
    assert run.status is Status.CANCELED
    assert run.error is not None
    assert run.error.cause == ("interrupted" if name == "SIGINT" else "canceled")
    assert name in run.error.message
    assert statuses(read(tmp_path / "runs" / "a-1.ipynb")) == ["completed", "failed"]


def test_a_signal_before_the_kernel_starts_is_recorded_too(tmp_path: Path) -> None:
    before = (
        "from jupyter_mlops.jobs.running.recorder import Recorder\ndescribe = Recorder.describe\n"
        "def late(self, *rest, **options):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n    describe(self, *rest, **options)\nRecorder.describe = late"
    )
    assert execute(notebook(tmp_path), before).returncode == 1
    run = reconciled(tmp_path)
    assert (run.status, run.error and run.error.cause) == (Status.CANCELED, "canceled")
    assert not (tmp_path / "kernel").exists()


def test_where_only_the_journal_says_how_a_run_ended_its_steps_end_as_it_says(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("%%step first\nx = 1"), code("%%step second\n1 / 0"))
    subprocess.run([sys.executable, "-c", RUNNER.format(before=""), str(path)], cwd=tmp_path, check=False)
    with Store.open(path) as store:
        (run,) = store.runs.list()
        assert run.status is Status.FAILED
        with store.index.write() as connection:  # as if its process had been killed just before it said so
            connection.exec_driver_sql("update runs set status = 'running', ended_at = null, error = null")
            connection.exec_driver_sql("update step_runs set status = 'running', ended_at = null, result = null")
        assert end_by_journal(store, store.runs.get(run.id))
        ended = store.runs.get(run.id)
        assert (ended.status, ended.error) == (Status.FAILED, run.error)
        first, second = sorted(store.steps.runs(), key=lambda step_run: step_run.position)
    assert (first.status, first.unrepeatable) == (Status.COMPLETED, UNSAVED)
    assert (second.status, second.error) == (Status.FAILED, "ZeroDivisionError: division by zero")


def test_a_run_taken_by_two_racing_processes_is_executed_once(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("with open('log', 'a') as file:\n    _ = file.write('x')"))
    with Store.open(path) as store:
        run = create_run(store, check_request(path, {}), kind="job", now=store.now())
    race = (
        "import sys, time\nfrom pathlib import Path\nfrom jupyter_mlops.errors import MLOpsError\n"
        "from jupyter_mlops.operations.runs.run import run_notebook\nfrom jupyter_mlops.jobs.running import job\n"
        "Path(f'ready-{sys.argv[1]}').touch()\n"
        "while not Path('go').exists():\n    time.sleep(0.001)\n"
        f"try:\n    run_notebook(Path('a.ipynb'), {{}}, run_id={run.id!r})\n    print('executed')\n"
        "except MLOpsError as error:\n    print('refused:', error.message)\n"
    )
    racing = [
        subprocess.Popen([sys.executable, "-c", race, str(index)], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for index in range(3)
    ]
    until(lambda: len(list(tmp_path.glob("ready-*"))) == 3)
    (tmp_path / "go").touch()
    said = sorted(process.communicate(timeout=120)[0].strip() for process in racing)
    assert said[0] == "executed"
    assert all(text.startswith("refused: Run 1 is ") for text in said[1:])
    assert (tmp_path / "log").read_text() == "x"
    assert reconciled(tmp_path).status is Status.COMPLETED
    with Store.open(path) as store:
        events = [event["event"] for event in store.journals.read(run.id)]
    assert events.count("run_started") == events.count("run_ended") == 1


@dataclass
class SmallDisk:
    """A folder on a disk of its own of a few megabytes; where none may be mounted, files of that size are refused."""

    folder: Path
    mounted: bool

    def limit(self) -> None:
        """In the process that is to meet the limit."""
        if not self.mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))

    def grow(self) -> None:
        """Let there be room."""
        if self.mounted:
            subprocess.run(["mount", "-o", "remount,size=64m", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True).returncode == 0
    yield SmallDisk(folder, mounted)
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_an_output_on_a_full_disk_loses_neither_run_nor_results(tmp_path: Path, small_disk: SmallDisk) -> None:
    path = write_notebook(
        tmp_path / "project" / "a.ipynb", code("%%step big\nx = 1\nprint('x' * 5_000_000)"), code("y = 2")
    )
    runner = RUNNER.replace("{{}}", f"{{{{}}}}, Path({str(small_disk.folder / 'out.ipynb')!r})").format(before="")
    done = subprocess.run(
        [sys.executable, "-c", runner, str(path)],
        capture_output=True,
        text=True,
        preexec_fn=small_disk.limit,
        timeout=120,
        env={**os.environ, "MLOPS_OUTPUT_LIMIT": "0"},  # all of it in the notebook
    )
    assert done.returncode == 1
    assert "could not be saved" in done.stdout
    with Store.open(path) as store:
        run = store.runs.get(1)
    assert run.status is Status.FAILED
    assert run.error is not None
    assert run.error.cause == "not_saved"
    assert "All cells were executed" in run.error.message
    # What is there is whole, though old.
    assert "completed" not in statuses(read(small_disk.folder / "out.ipynb"))
    assert [item.name for item in small_disk.folder.iterdir()] == ["out.ipynb"]
    with Store.open(path) as store:
        assert {item.step: item.status for item in store.steps.runs()}["big"] is Status.COMPLETED
    small_disk.grow()
    run = reconciled(path.parent)
    assert (run.status, run.error and run.error.cause) == (Status.FAILED, "not_saved")
    assert statuses(read(small_disk.folder / "out.ipynb")) == ["completed", "completed"]
    assert [item.name for item in small_disk.folder.iterdir()] == ["out.ipynb"]


def test_much_output_that_has_no_room_beside_its_notebook_is_in_the_journal(
    tmp_path: Path, small_disk: SmallDisk
) -> None:
    path = write_notebook(tmp_path / "project" / "a.ipynb", code("print('x' * 5_000_000)"), code("print('y')"))
    runner = RUNNER.replace("{{}}", f"{{{{}}}}, Path({str(small_disk.folder / 'out.ipynb')!r})").format(before="")
    subprocess.run([sys.executable, "-c", runner, str(path)], preexec_fn=small_disk.limit, timeout=120, check=True)
    outputs = read(small_disk.folder / "out.ipynb")["cells"][0]["outputs"]
    assert "could not be written to out.outputs/cell-1.txt" in "".join(outputs[1]["data"]["text/plain"])
    with Store.open(path) as store:
        events = [event for event in store.journals.read(store.runs.get(1).id) if event["event"] == "output"]
    assert events[0]["output"]["text"] == "x" * 5_000_000 + "\n"


def test_a_store_whose_disk_fills_up_tells_the_truth_of_its_run(small_disk: SmallDisk) -> None:
    """The second cell takes all the room there is."""
    fill = (
        "import contextlib, os\nfile = open('ballast', 'wb')\nwith contextlib.suppress(OSError):\n"
        "    while True:\n        _ = file.write(os.urandom(4096)); file.flush()\n"
        "with contextlib.suppress(OSError):\n    while True:\n        _ = os.write(file.fileno(), b'x')"
    )
    path = write_notebook(
        small_disk.folder / "a.ipynb", code("%%step one\nx = 1\nprint('first')"), code(fill), code("y = 2")
    )
    done = execute(path, preexec_fn=small_disk.limit)
    assert done.returncode in (0, 1), done.stderr
    with Store.open(path) as store:
        before = store.runs.get(1).status
    (small_disk.folder / "ballast").unlink()
    run = reconciled(small_disk.folder)
    assert run.status.ended
    if small_disk.mounted:
        # The room that was set aside sufficed for the last word; the notebook had none.
        assert before is run.status is Status.FAILED
        assert run.error is not None
        assert run.error.cause == "not_saved"
        assert "failed" not in statuses(read(small_disk.folder / "runs" / "a-1.ipynb"))
    assert run.status is not Status.LOST
    # With room again, the next run is as ever.
    write_notebook(small_disk.folder / "b.ipynb", code("print('again')"))
    assert execute(small_disk.folder / "b.ipynb").returncode == 0
