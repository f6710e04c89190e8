"""A warm kernel finds nothing of the jobs before it, and is a process in good order of its own."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_mlops.execution.kernels.warm.pool import Pool

from .played import notebook_of, play

pytestmark = pytest.mark.kernel


def answers(cells: list[str], folder: Path, pool: Pool, **options: Any) -> list[Any]:
    """The value of each cell's last expression, in a warm kernel."""
    executed, _, told = play(notebook_of(cells), folder, pool, **options)
    assert told.kind == "warm", told.why
    return [_value(cell) for cell in executed.cells]


def _value(cell: Any) -> Any:
    for output in cell.outputs:
        if output.output_type == "execute_result":
            return ast.literal_eval(output.data["text/plain"])
        assert output.output_type != "error", "\n".join(output.traceback)
    return None


def test_a_job_sees_nothing_of_the_one_before(tmp_path: Path, pool: Pool) -> None:
    leave = [
        "import os, sys, random, warnings, builtins, json, numpy, pandas",
        "left = 1; os.environ['LEFT'] = '1'; sys.path.append('/left'); builtins.left = 1; json.left = 1; numpy.left = 1",
        "random.seed(1); numpy.random.seed(1); pandas.set_option('display.max_rows', 7); warnings.simplefilter('error')",
        "os.chdir('/'); os.umask(0o77); sys.setrecursionlimit(777); sys.modules['left'] = sys",
        "%alias left echo\nget_ipython().events.register('pre_run_cell', lambda *_: print('left'))",
        "open('/dev/null'); import mlflow; mlflow.set_tracking_uri('sqlite:////left.db'); mlflow.set_tag\nNone",
    ]
    look = [
        "import os, sys, random, warnings, builtins, json, numpy, pandas\n'left' in globals(), os.environ.get('LEFT')",
        "'/left' in sys.path, hasattr(builtins, 'left'), hasattr(json, 'left'), hasattr(numpy, 'left')",
        "pandas.get_option('display.max_rows'), warnings.filters[0][0] == 'error', os.path.realpath('.')",
        "sys.getrecursionlimit(), len(In), get_ipython().history_manager.session_number, Out",
        "import mlflow\n'left' in mlflow.get_tracking_uri(), mlflow.active_run()",
        "os.umask(0o22)",
    ]
    umask = os.umask(0o22)
    os.umask(umask)
    answers(leave, tmp_path, pool)
    found = answers(look, tmp_path, pool)
    assert found[0] == (False, None)
    assert found[1] == (False, False, False, False)
    assert found[2] == (60, False, os.path.realpath(tmp_path))
    assert found[3][0] != 777
    assert found[3][1:3] == (5, 1)
    assert set(found[3][3]) == {1, 2, 3}
    assert found[4] == (False, None)
    assert found[5] == umask


def test_random_numbers_are_not_those_of_the_job_before(tmp_path: Path, pool: Pool) -> None:
    cell = (
        "import random, numpy, uuid, secrets, tempfile, os\n"
        "[random.random(), numpy.random.rand(), numpy.random.default_rng().random(), uuid.uuid4().hex, os.urandom(4),\n"
        " tempfile.mktemp(), random.Random().random(), secrets.token_hex(4)]"
    )
    first, second = (answers([cell], tmp_path, pool)[0] for _ in range(2))
    assert not [one for one, other in zip(first, second, strict=True) if one == other]


def test_an_import_leaves_generators_and_variables_as_the_notebook_has_set_them(tmp_path: Path, pool: Pool) -> None:
    cells = [
        "import random, numpy, os\nrandom.seed(1); numpy.random.seed(1); os.environ['KMP_INIT_AT_FORK'] = '7'",
        "import pandas",
        "import sklearn.ensemble",
        "random.random(), float(numpy.random.rand()), int(os.environ['KMP_INIT_AT_FORK'])",
    ]
    *lines, last = cells
    plain = "\n".join([*lines, f"print({last})"])  # what a library draws at its import counts there too
    done = subprocess.run([sys.executable, "-c", plain], capture_output=True, text=True, check=True)
    for _ in range(2):
        assert answers(cells, tmp_path, pool)[-1] == tuple(map(ast.literal_eval, done.stdout.split()))


def test_folder_and_environment_are_the_jobs_own(tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_OF_THE_RUNNER", "here")
    (tmp_path / "beside.py").write_text("value = 1")
    cell = "import os, beside\nos.getcwd(), os.environ['MLOPS_OF_THE_RUNNER'], os.environ['MLOPS_OF_THE_JOB'], beside.value"
    found = answers([cell], tmp_path, pool, environment={"MLOPS_OF_THE_JOB": "mine"})
    assert found == [(str(tmp_path), "here", "mine", 1)]
    (tmp_path / "beside.py").write_text("value = 12345")
    assert answers([cell], tmp_path, pool, environment={"MLOPS_OF_THE_JOB": "x"})[0][2:] == ("x", 12345)


def test_threads_and_locks_are_its_own(tmp_path: Path, pool: Pool) -> None:
    cells = [
        "import threading, logging, os\nsorted(thread.name for thread in threading.enumerate())",
        "logging.getLogger('a').warning('b'); logging._lock.acquire(timeout=1) and logging._lock.release()",
        "len([name for name in os.listdir('/proc/self/fd') if 'index' in os.path.realpath(f'/proc/self/fd/{name}')])",
        "os.getpgid(0) == os.getsid(0) == os.getpid()",
    ]
    names, _, open_files, leads = answers(cells, tmp_path, pool)
    assert set(names) <= {"MainThread", "IOPub", "jupyter-mlops-warm", "jupyter-mlops-saver"}
    assert "MainThread" in names
    assert open_files == 0
    assert leads


def test_jobs_at_once_do_not_share_a_folder(tmp_path: Path, pool: Pool) -> None:
    folders = [tmp_path / str(number) for number in range(6)]
    found: dict[Path, Any] = {}

    def run(folder: Path) -> None:
        folder.mkdir()
        found[folder] = answers(["import os, time\ntime.sleep(0.2)\nos.getcwd()"], folder, pool)

    threads = [threading.Thread(target=run, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {folder: [str(folder)] for folder in folders}


def children_of(pool: Pool) -> list[psutil.Process]:
    return [child for parent in pool._parents for child in psutil.Process(parent.pid).children(recursive=True)]


def test_a_kernel_that_ends_leaves_no_process_and_no_zombie(tmp_path: Path, pool: Pool) -> None:
    play(notebook_of(["x = 1"]), tmp_path, pool)
    play(notebook_of(["import os\nos._exit(3)"]), tmp_path, pool)
    assert not children_of(pool)


@pytest.mark.parametrize(
    ("cell", "cause", "signal_name", "code"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "kernel_died", "SIGKILL", -9),
        ("import os\nos.abort()", "kernel_died", "SIGABRT", -6),
        ("import ctypes\nctypes.string_at(0)", "kernel_died", "SIGSEGV", -11),
        ("import os\nos._exit(3)", "kernel_died", "", 3),
    ],
)
def test_a_death_is_told_by_signal_and_exit_code(
    cell: str, cause: str, signal_name: str, code: int, tmp_path: Path, pool: Pool
) -> None:
    _, outcome, told = play(notebook_of(["x = 1", cell, "y = 1"]), tmp_path, pool)
    assert told.kind == "warm"
    assert (outcome.error.cause, outcome.error.signal, outcome.error.exit_code) == (cause, signal_name, code)
    assert outcome.error.cell_index == 1


def test_too_much_memory_ends_the_kernel_and_is_named(tmp_path: Path, pool: Pool) -> None:
    cells = ["import time\nheld = []\nfor _ in range(100):\n    held.append(b'x' * 20_000_000); time.sleep(0.05)"]
    _, outcome, told = play(notebook_of(cells), tmp_path, pool, memory=400_000_000)
    assert told.kind == "warm"
    assert outcome.error.cause == "out_of_memory"


def test_a_cell_that_takes_too_long_is_interrupted(tmp_path: Path, pool: Pool) -> None:
    cell = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('interrupted')\n    raise"
    began = time.monotonic()
    executed, outcome, _ = play(notebook_of(["x = 1", cell]), tmp_path, pool, cell_seconds=0.5)
    assert time.monotonic() - began < 20
    assert outcome.error.cause in ("step_timeout", "cell_error")
    assert "interrupted" in str(executed.cells[1].outputs)


RUNNER = """\
import sys, threading, time
sys.path[:0] = {paths!r}
from pathlib import Path
from played import notebook_of, play
from jupyter_mlops.execution.kernels.warm.pool import Pool
pool = Pool()
cell = "import os, pathlib, subprocess, time\\npathlib.Path('pid').write_text(str(os.getpid()))\\ntime.sleep(300)"
play(notebook_of([cell]), Path({folder!r}), pool)
"""


def test_a_kernel_ends_with_its_runner(tmp_path: Path) -> None:
    """Killed at once, in the middle of a cell: neither the kernel nor the process that forked it stays."""
    here = Path(__file__).parent
    paths = [str(here), str(here.parents[2])]
    runner = subprocess.Popen([sys.executable, "-c", RUNNER.format(paths=paths, folder=str(tmp_path))])
    file = tmp_path / "pid"
    try:
        wait_for(lambda: file.exists() and file.read_text() != "", 60)
        kernel = psutil.Process(int(file.read_text()))
        parent = kernel.parent()
        assert parent is not None
    finally:
        runner.send_signal(signal.SIGKILL)
        runner.wait()
    wait_for(lambda: not kernel.is_running() and not parent.is_running(), 10)


def test_kernels_end_with_the_process_that_forked_them(tmp_path: Path) -> None:
    file = tmp_path / "parent"
    with Pool() as pool:

        def kill() -> None:
            wait_for(lambda: file.exists() and file.read_text() != "", 60)
            os.kill(int(file.read_text()), signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        cell = "import os, pathlib, time\npathlib.Path('parent').write_text(str(os.getppid()))\ntime.sleep(300)"
        _, outcome, _ = play(notebook_of([cell]), tmp_path, pool)
        killer.join()
        assert outcome.error.cause == "kernel_died"
        assert play(notebook_of(["x = 1"]), tmp_path, pool)[2].kind == "warm"


def wait_for(condition: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_what_a_notebook_left_open_is_written_and_its_exit_handlers_run(tmp_path: Path, pool: Pool) -> None:
    cells = [
        "import atexit, pathlib\natexit.register(lambda: pathlib.Path('handler').write_text('ran'))",
        "left = open('left', 'w'); left.write('never closed')",
        "class Last:\n    def __del__(self): open('words', 'w').write('said')\nlast = Last()",
    ]
    play(notebook_of(cells), tmp_path, pool)
    assert [(tmp_path / name).read_text() for name in ("handler", "left", "words")] == ["ran", "never closed", "said"]
