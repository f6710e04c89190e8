"""The states of a notebook are those of the kernel that works with it, or of the run that left it behind; not a job's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kernels import LiveKernel
from notebooks import code, read, write_notebook
from verbs.projects import add_run, add_step

from jupyter_mlops.analysis.pipeline.cells import cells_of
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.pipeline import PipelineStatus, StepStatus
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import CellFailedError
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.operations.steps.in_view import InView, find_view, in_kernel, maybe_outputs
from jupyter_mlops.operations.steps.status import pipeline_status
from jupyter_mlops.store.files.processes import this_process
from jupyter_mlops.store.store import Store

TRAIN = "%%step train --metrics score\nscore = 0.9 + depth / 100"
CELLS = [Cell(0, "p", "code", "depth = 2", ("parameters",)), Cell(1, "t", "code", TRAIN), Cell(2, "u", "code", "1 + 1")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def session(store: Store) -> Callable[..., InView]:
    """The view of this process as a kernel, which did `values` in step `train`."""

    def view(**values: Any) -> InView:
        pid, started = this_process()
        run = add_run(store, kind="session", status=Status.RUNNING, pid=pid, pid_started=started)
        add_step(store, run, "train", "score = 0.9 + depth / 100", **values)
        return find_view(store, "nb.ipynb", kernel=os.getpid())

    return view


def train(status: PipelineStatus) -> StepStatus:
    return next(step for step in status.steps if step.name == "train")


def look(store: Store, view: InView | None = None) -> StepStatus:
    return train(pipeline_status(store, "nb.ipynb", CELLS, view=view))


def test_a_job_that_was_canceled_or_failed_says_nothing_of_the_notebook(
    store: Store, session: Callable[..., InView]
) -> None:
    view = session(metrics={"score": 0.92})
    for ended in (Status.CANCELED, Status.FAILED, Status.LOST):
        run = add_run(store, status=ended)
        add_step(store, run, "train", "score = 0.9 + depth / 100", status=ended, error="Canceled (as asked).")
    for found in (look(store, view), look(store)):
        assert found.state not in ("failed", "canceled")
        assert (found.here, found.run_number, found.metrics) == (True, 1, {"score": 0.92})


def test_a_step_that_only_jobs_failed_in_never_ran(store: Store) -> None:
    add_step(store, add_run(store), "train", "score = 0.9 + depth / 100", status=Status.FAILED, error="ValueError: no")
    for view in (None, in_kernel(None)):
        assert (look(store, view).state, look(store, view).run_number) == ("never_run", None)


def test_a_step_running_in_a_job_does_not_run_in_the_notebook(store: Store) -> None:
    pid, started = this_process()
    run = add_run(store, status=Status.RUNNING)
    values = {"status": Status.RUNNING, "pid": pid, "pid_started": started, "ended_at": None}
    add_step(store, run, "train", "score = 0.9 + depth / 100", **values)
    assert look(store).state == "never_run"


def test_a_kernels_session_is_found_by_its_process_or_by_that_which_started_it(
    store: Store, session: Callable[..., InView]
) -> None:
    add_run(store, kind="session", status=Status.RUNNING, pid=os.getpid(), pid_started=1.0)  # of an earlier process
    view = session()
    assert view == in_kernel(store.runs.get(2).id)
    assert find_view(store, "nb.ipynb", kernel=os.getppid()) == view
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert find_view(store, "nb.ipynb", kernel=other.pid) == in_kernel(None)
    finally:
        other.communicate(b"\n")


def test_without_a_kernel_it_is_the_notebooks_last_session(store: Store, session: Callable[..., InView]) -> None:
    session(status=Status.FAILED, error="ValueError: no")
    add_run(store, kind="session", notebook="other.ipynb")
    found = pipeline_status(store, "nb.ipynb", CELLS)
    assert found.in_view == "record"
    assert (train(found).state, train(found).reason) == ("failed", "ValueError: no")
    assert pipeline_status(store, "nb.ipynb", CELLS, view=in_kernel(None)).steps[0].state == "never_run"


def test_an_interrupt_is_no_failure(store: Store, session: Callable[..., InView]) -> None:
    found = look(store, session(status=Status.CANCELED, error="KeyboardInterrupt: "))
    assert (found.state, found.reason) == ("canceled", "it was stopped before it ended")


def test_captured_cells_stay_when_one_of_them_is_named(store: Store, session: Callable[..., InView]) -> None:
    view = session()
    status = pipeline_status(store, "nb.ipynb", CELLS, view=view)
    assert ([step.name for step in status.steps], status.captured, status.hidden) == (["train"], False, 2)
    add_step(store, store.runs.get(1), "cell@u", "1 + 1")
    status = pipeline_status(store, "nb.ipynb", CELLS, view=view)
    assert ([step.name for step in status.steps], status.captured) == (["cell@p", "train", "cell@u"], True)


@pytest.mark.parametrize(
    "told", [None, 3, {}, {"output_path": "x.ipynb"}, {"start_time": None, "output_path": "x.ipynb"}]
)
def test_a_notebook_that_papermill_never_ran_was_left_by_none(told: Any) -> None:
    assert maybe_outputs(Path("/a/nb.ipynb"), told) == []


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, start_kernel: Callable[..., LiveKernel]) -> LiveKernel:
    """A kernel in which `train` ran with the notebook's depth of 2; then jobs: with 1, and one that failed."""
    folder = tmp_path_factory.mktemp("study")
    path = folder / "nb.ipynb"
    write_notebook(
        path,
        code("depth = 2", "parameters"),
        code("%%step load\nbase = 0.9"),
        code("%%step train --metrics score\nassert depth < 9\nscore = base + depth / 100"),
        code("%%step after\nprint(score)"),
    )
    kernel = start_kernel(folder, JPY_SESSION_NAME=str(path))
    for cell in cells_of(read(path))[:3]:
        assert kernel.run(cell.source, cell_id=cell.id, tags=list(cell.tags)).error == ""
    kernel.run("%mlops drain")
    run_notebook(path, {"depth": 1})
    with pytest.raises(CellFailedError):
        run_notebook(path, {"depth": 9})
    return kernel


def seen(kernel: LiveKernel, path: Path, changed: str | None = None) -> PipelineStatus:
    """What the panel shows of the notebook at `path`; `changed` is its parameters cell as it was edited."""
    saved = read(path)
    if changed is not None:
        saved["cells"][0]["source"] = changed
    with Store.open(kernel.folder) as store:
        process = kernel.manager.provisioner.pid  # type: ignore[union-attr]
        outputs = maybe_outputs(path, saved["metadata"].get("papermill"))
        view = find_view(store, store.relative(path), kernel=process, outputs=outputs)
        return pipeline_status(store, store.relative(path), cells_of(saved), view=view)


def states(status: PipelineStatus) -> list[tuple[str, str]]:
    return [(step.name, step.state.value) for step in status.steps]


@pytest.mark.kernel
def test_beside_a_kernel_its_own_values_are_shown_whatever_jobs_gave(lived: LiveKernel) -> None:
    status = seen(lived, lived.folder / "nb.ipynb")
    assert status.in_view == "kernel"
    assert states(status) == [("load", "fresh"), ("train", "fresh"), ("after", "stale")]
    assert (train(status).metrics, train(status).run_number, train(status).here) == ({"score": 0.92}, 1, True)
    after = status.steps[-1]  # only the job came to it, on another value
    assert (after.here, after.version, after.duration, after.ended_at) == (False, None, None, None)


@pytest.mark.kernel
def test_beside_a_kernel_that_ran_nothing_a_jobs_result_is_told_as_such(
    lived: LiveKernel, start_kernel: Callable[..., LiveKernel]
) -> None:
    status = seen(start_kernel(lived.folder), lived.folder / "nb.ipynb", "depth = 1")
    assert (train(status).state, train(status).reason) == ("fresh", "a result from run 2 is available")
    assert (train(status).metrics, train(status).duration, train(status).here) == ({}, None, False)


@pytest.mark.kernel
def test_where_the_notebook_is_edited_to_what_a_job_did_the_kernel_still_holds_its_own(lived: LiveKernel) -> None:
    status = seen(lived, lived.folder / "nb.ipynb", "depth = 1")
    assert train(status).state == "stale"
    assert train(status).reason == "changed since it ran here; a result from run 2 is available"
    assert train(status).metrics == {"score": 0.92}


@pytest.mark.kernel
def test_a_verb_in_the_kernel_tells_the_same(lived: LiveKernel) -> None:
    text = lived.run("%mlops status --json").text
    assert '"in_view": "kernel"' in text
    assert '"score": 0.92' in text
    assert '"failed"' not in text
    assert "Assertion" not in text


@pytest.mark.kernel
def test_an_executed_copy_shows_the_steps_of_its_run(
    lived: LiveKernel, start_kernel: Callable[..., LiveKernel]
) -> None:
    other = start_kernel(lived.folder)
    kept, failed = (seen(other, lived.folder / "runs" / f"nb-{number}.ipynb") for number in (2, 3))
    assert (kept.in_view, kept.run_number, kept.source) == ("run", 2, "nb.ipynb")
    assert states(kept) == [("load", "reused"), ("train", "completed"), ("after", "completed")]
    assert train(kept).metrics == {"score": 0.91}
    assert states(failed) == [("load", "reused"), ("train", "failed"), ("after", "never_run")]
    assert train(failed).reason.startswith("AssertionError")


@pytest.mark.kernel
def test_a_copy_that_was_moved_is_still_known(lived: LiveKernel, start_kernel: Callable[..., LiveKernel]) -> None:
    other = start_kernel(lived.folder)
    moved = lived.folder / "moved.ipynb"
    moved.write_bytes((lived.folder / "runs" / "nb-2.ipynb").read_bytes())
    assert seen(other, moved).run_number == 2
