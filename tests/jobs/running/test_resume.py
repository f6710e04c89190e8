"""Runs that are continued: nothing that had finished is executed again, and the end equals that of an unbroken run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from kernels import LiveKernel
from notebooks import code, read, shown, write_notebook

from jupyter_mlops.domain.run import RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import CellFailedError, InputError, UnknownNameError
from jupyter_mlops.operations.runs.open import open_run
from jupyter_mlops.operations.runs.resume import resume, unfinished
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel

COUNT = "with open('count.txt', 'a') as file:\n    file.write('{}')\n"
CELLS = (
    "import pathlib, random, time\nstamp = time.time()\nprint(stamp)\n" + COUNT.format(1),
    "drawn = random.random()\nprint(drawn)\n" + COUNT.format(2),
    "rows = [stamp]\nrows.append(drawn)\nrows\n" + COUNT.format(3),
    "rows.append(3)\nif not pathlib.Path('go').exists():\n    raise ValueError('not yet')\n" + COUNT.format(4),
    "print(stamp, drawn, rows)",
)


def make(folder: Path, *sources: str) -> Path:
    return write_notebook(folder / "nb.ipynb", *map(code, sources or CELLS))


def fail(path: Path) -> None:
    with pytest.raises(CellFailedError):
        run_notebook(path, {})


def go_on(path: Path, **options: Any) -> tuple[Any, dict[str, Any]]:
    with Store.open(path) as store:
        run = resume(store, unfinished(store, None), **options)
        return run, read(store.root / str(run.output_path))


def texts(notebook: dict[str, Any]) -> list[str]:
    return [shown(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make(tmp_path_factory.mktemp("failed"))
    fail(path)
    return path


def test_what_had_finished_is_not_executed_again_also_what_no_other_run_may_reuse(failed: Path) -> None:
    with Store.open(failed) as store:
        before = texts(read(store.root / str(store.runs.list()[0].output_path)))
    (failed.parent / "go").touch()
    run, notebook = go_on(failed)
    after = texts(notebook)
    assert (run.status, run.steps_executed, run.steps_reused) == (Status.COMPLETED, 2, 3)
    assert after[:3] == before[:3]
    assert after[4].split()[:2] == [after[0].strip(), after[1].strip()]
    assert (failed.parent / "count.txt").read_text() == "1234"
    with Store.open(failed) as store, pytest.raises(InputError, match="This project has no run to continue"):
        unfinished(store, None)


def test_an_edit_runs_its_step_and_what_reads_it(tmp_path: Path) -> None:
    sources = ["import time\na = time.time()", "b = 2", "c = b + 1\nd = a", "1 / 0", "print(c, d == a)"]
    path = make(tmp_path, *sources)
    fail(path)
    make(tmp_path, *[{"b = 2": "b = 5", "1 / 0": "pass"}.get(source, source) for source in sources])
    run, notebook = go_on(path, with_edit=True)
    assert texts(notebook)[-1] == "6 True\n"
    assert (run.steps_executed, run.steps_reused) == (4, 1)


def test_a_file_that_changed_since_makes_its_reader_run(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("1")
    path = make(
        tmp_path, "import time\nwait = time.time()", "n = int(open('in.txt').read())", "m = n\n1 / (m - 1)", "print(m)"
    )
    fail(path)
    (tmp_path / "in.txt").write_text("7")
    run, notebook = go_on(path)
    assert texts(notebook)[-1] == "7\n"
    assert (run.steps_executed, run.steps_reused) == (3, 1)


def test_a_run_whose_process_was_killed_goes_on(tmp_path: Path) -> None:
    path = make(
        tmp_path,
        "import pathlib, time\nstamp = time.time()\ntime.sleep(0.3)\n" + COUNT.format(1),
        "pathlib.Path('there').touch()\nif not pathlib.Path('go').exists():\n    time.sleep(60)\n" + COUNT.format(2),
        "print(stamp)",
    )
    command = [sys.executable, "-m", "jupyter_mlops.cli.main", "run", str(path)]
    starting = "import sys; from jupyter_mlops.cli.main import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", starting, *command[3:]], cwd=tmp_path, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (tmp_path / "there").exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (tmp_path / "go").touch()
    with Store.open(path) as store:
        lost = unfinished(store, None)
    assert lost.status is Status.LOST
    run, _ = go_on(path)
    assert (run.status, run.resumes, run.steps_reused) == (Status.COMPLETED, lost.id, 1)
    assert (tmp_path / "count.txt").read_text() == "12"


def test_a_run_continued_twice_keeps_what_the_first_had_finished(tmp_path: Path) -> None:
    path = make(
        tmp_path,
        "import pathlib, time\na = time.time()",
        "b = time.time()\nassert pathlib.Path('one').exists()",
        "c = time.time()\nassert pathlib.Path('two').exists()",
        "print(a < b < c)",
    )
    fail(path)
    (tmp_path / "one").touch()
    with pytest.raises(CellFailedError):
        go_on(path)
    (tmp_path / "two").touch()
    run, notebook = go_on(path)
    assert texts(notebook)[-1] == "True\n"
    assert (run.steps_executed, run.steps_reused) == (2, 2)


def test_open_makes_a_notebook_whose_cell_brings_the_variables_back(failed: Path) -> None:
    with Store.open(failed) as store:
        first = store.runs.list()[-1]
        opened = open_run(store, first)
    notebook = read(opened.path)
    place = opened.cell_index
    attaching, ended = ("".join(cell["source"]) for cell in notebook["cells"][place : place + 2])
    assert "%mlops attach" in attaching
    assert "not yet" in ended
    stamp = texts(notebook)[0].strip()
    kernel = LiveKernel(failed.parent)
    try:
        assert "rows" in kernel.run(attaching).text
        assert kernel.run("print(stamp, len(rows))").text.split() == [stamp, "2"]
    finally:
        kernel.close()
    with Store.open(failed) as store:
        assert open_run(store, first).path != opened.path


def test_a_part_of_a_notebook_runs_with_what_it_needs(tmp_path: Path) -> None:
    path = make(
        tmp_path,
        "%%step load\nx = 1",
        "%%step aside\ny = 2",
        "%%step train\nz = x + 1\nprint(z)",
        "%%step report\nprint(0)",
    )
    until = run_notebook(path, {}, options=RunOptions(last="train"))
    only = run_notebook(path, {}, options=RunOptions(only="train"))
    start = run_notebook(path, {}, options=RunOptions(first="train"))
    with Store.open(path) as store:
        statuses = [
            [cell["metadata"]["papermill"]["status"] for cell in read(store.root / str(run.output_path))["cells"]]
            for run in (until, only, start)
        ]
    done, pending = "completed", "pending"
    assert statuses == [[done, done, done, pending], [done, pending, done, pending], [done, pending, done, done]]
    assert (only.steps_executed, only.steps_reused) == (1, 1)
    assert only.progress.cells_total == 2
    with pytest.raises(UnknownNameError, match="trian"):
        run_notebook(path, {}, options=RunOptions(first="trian"))
    with pytest.raises(InputError, match="comes before step"):
        run_notebook(path, {}, options=RunOptions(first="train", last="load"))
