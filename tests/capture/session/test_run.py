"""The run of a kernel: made with its first step, in a store that is opened then, and ended when the kernel ends well."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_mlops.capture.session.context import KernelContext
from jupyter_mlops.capture.session.events import AuthorWarned, StepEvent
from jupyter_mlops.capture.session.history import CellHistory
from jupyter_mlops.capture.session.run import LIVE, RunHandle
from jupyter_mlops.domain.run import TrackedAt
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.domain.variables import KernelTask

Open = Callable[..., RunHandle]


@pytest.fixture
def open_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """The run of a kernel that works in `tmp_path` for a task."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])  # to which a kernel adds what notes imports
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    opened: list[RunHandle] = []

    def open_run(**task: object) -> RunHandle:
        shell = SimpleNamespace(user_ns={"rate": 1}, user_ns_hidden={})
        context = KernelContext(shell, KernelTask(**task))  # type: ignore[arg-type]
        opened.append(RunHandle(context, lambda root: TrackedAt(f"of {root.name}")))
        return opened[-1]

    yield open_run
    for run in opened:
        if run.project.is_open:
            run.store.close()


def test_nothing_is_opened_before_it_is_needed(tmp_path: Path, open_run: Open) -> None:
    run = open_run()
    assert (run.begun, run.project.is_open, run.writing.drain(0), run.writing.notices()) == (None, False, True, [])
    run.writing.stir()
    run.writing.secure()
    run.describe()
    run.close()
    assert list(tmp_path.iterdir()) == []


def test_a_session_makes_its_run_with_the_first_step_and_ends_it_with_the_kernel(
    tmp_path: Path, open_run: Open
) -> None:
    run = open_run()
    made = run.store.runs.get(run.id)
    assert (made.status, made.kind, made.notebook) == (Status.RUNNING, "session", LIVE)
    assert made.tracked_at == TrackedAt(f"of {tmp_path.name}")
    assert run.id == run.begun == made.id
    run.close()
    assert run.store.runs.get(run.id).status is Status.COMPLETED


def test_where_a_session_comes_from_is_recorded_once_and_behind_the_cell(open_run: Open) -> None:
    run = open_run()
    assert run.store.runs.get(run.id).environment is None
    run.describe()
    assert run.writing.drain(60)
    assert run.store.runs.get(run.id).environment is not None
    run.store.runs.update(run.id, environment=None, told_at=run.store.now())
    run.describe()
    assert run.writing.drain(60)
    assert run.store.runs.get(run.id).environment is None


def test_a_job_works_for_the_engines_run_and_leaves_its_end_to_the_engine(tmp_path: Path, open_run: Open) -> None:
    run = open_run(run_id="r", project=str(tmp_path), notebook="a/b.ipynb")
    assert (run.id, run.notebook, run.resumed) == ("r", "a/b.ipynb", None)
    run.close()
    assert not run.project.is_open


def test_what_went_wrong_behind_the_cells_is_told_once_and_never_in_a_jobs_notebook(
    tmp_path: Path, open_run: Open
) -> None:
    for run, told in ((open_run(), [("a", "b")]), (open_run(run_id="r", project=str(tmp_path)), [])):
        run.saver.notices.append(("a", "b"))
        assert (run.writing.notices(), run.writing.notices()) == (told, [])


def test_a_wrong_limit_of_output_is_told_once(tmp_path: Path, open_run: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    class Heard(list[StepEvent]):
        def on_event(self, event: StepEvent) -> None:
            self.append(event)

    heard = Heard()
    monkeypatch.setenv("MLOPS_OUTPUT_LIMIT", "much")
    project = open_run().project
    assert project.output_limit(heard) == project.output_limit(heard) > 0
    assert [type(event) for event in heard] == [AuthorWarned]


def test_the_history_knows_the_newest_run_of_a_step_here_and_before(open_run: Open) -> None:
    earlier = open_run()
    old = _recorded(earlier, "train", "c1")
    history = CellHistory(SimpleNamespace(), open_run())
    assert (history.cell_of("train"), history.cell_of("other")) == ("c1", None)
    new = old.but(id="new", cell_id="c2")
    history.remember(new)
    assert history.last_of(LIVE, "train") == new
    assert history.cell_of("train") == "c2"
    assert [history.next_position(), history.next_position()] == [1, 2]


def _recorded(run: RunHandle, step: str, cell_id: str) -> StepRun:
    now = run.store.now()
    made = StepRun("old", run.id, LIVE, step, 0, "d", 1, Status.COMPLETED, started_at=now, cell_id=cell_id)
    run.store.steps.journal([(made, "x = 1")], now=now)
    return made
