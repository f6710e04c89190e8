"""A long history costs the lists no more than a short one: told by what SQLite does for them, not by a clock."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.domain.run import Run, RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.operations.steps.in_view import find_view
from jupyter_mlops.operations.steps.status import pipeline_status
from jupyter_mlops.store import open_store
from jupyter_mlops.store.db import sqlite_connect
from jupyter_mlops.store.store import Store
from verbs.projects import NOON, add_run, data_of, text_of, write_notebook

SHORT, LONG = 30, 600
STEPS = {
    "load": "%%step load\nnumbers = [1, 2]",
    "clean": "%%step clean\nkept = [n for n in numbers if n]",
    "plain": "total = sum(kept)",
    "train": "%%step train\nscore = total / 2",
}
NOTEBOOKS = ("a.ipynb", "b.ipynb")
LINES = (
    "status a.ipynb",
    "status a.ipynb --all",
    "runs -n 10",
    "runs -n 10 --before 25",
    "runs -n 10 --notebook a.ipynb",
    "log train -n 5",
    "log train -n 5 --notebook a.ipynb",
    "steps",
    "steps --all",
    "plan --notebook a.ipynb",
    "why train --notebook a.ipynb",
    "graph --notebook a.ipynb",
    "jobs list -n 10",
)
GROWING = ("runs", "step_runs", "step_versions", "outbox", "notices", "recorded")


def history(folder: Path, count: int) -> None:
    """`count` runs of two notebooks: some steps executed, most reused, some edited, some failed."""
    for name in NOTEBOOKS:
        write_notebook(folder / name, STEPS)
    with open_store(folder) as store:
        for number in range(count):
            failed = number % 10 == 7
            run = add_run(
                store,
                notebook=NOTEBOOKS[number % 2],
                parameters={"rate": number},
                status=Status.FAILED if failed else Status.COMPLETED,
                error=RunFailure("cell_error", "ValueError: no") if failed else None,
                created_at=NOON + timedelta(minutes=number),
                kind="session" if number % 6 == 5 else "job",
                output_path=None if number % 6 == 5 else "nightly.ipynb",
            )
            store.steps.record(*_steps(store, run, number, failed=failed))


def _steps(store: Store, run: Run, number: int, *, failed: bool) -> Iterator[StepRun]:
    for position, (name, source) in enumerate(STEPS.items(), start=1):
        code = source.partition("\n")[2] if source.startswith("%%") else source
        if number % 15 == 14 and name == "train":
            code += f"\nedit = {number}"
        digest = cell_facts(code).digest
        version = store.steps.version(run.notebook, name, digest, code, now=NOON)
        made = StepRun(
            id=store.new_id(),
            run_id=run.id,
            notebook=run.notebook,
            step=name if name != "plain" else "cell@plain",
            version=version.number,
            version_digest=digest,
            position=position,
            status=Status.COMPLETED if number % 4 == 0 else Status.REUSED,
            key=f"{name} {digest[:8]}",
            ingredients={"code": digest, "parameters": str(number % 3)},
            result="object",
            why=Reason(ReasonCode.CODE_CHANGED),
            duration=0.5,
            started_at=NOON + timedelta(minutes=number),
            ended_at=NOON + timedelta(minutes=number, seconds=position),
        )
        yield replace(made, status=Status.FAILED, result=None, error="no") if failed and name == "train" else made


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("short")
    history(folder, SHORT)
    return folder


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    history(folder, LONG)
    return folder


class Work:
    """Counts what SQLite's machine does on all connections opened meanwhile, in hundreds of instructions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = 0
        connect = sqlite_connect.connect

        def connected(path: Path) -> sqlite3.Connection:
            made = connect(path)
            made.set_progress_handler(self._more, 100)
            return made

        monkeypatch.setattr(sqlite_connect, "connect", connected)

    def _more(self) -> int:
        self.done += 1
        return 0

    def of(self, call: Callable[[], object]) -> int:
        """Hundreds of instructions that a call took."""
        before = self.done
        call()
        return self.done - before


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


def like(small: int, large: int) -> bool:
    """Whether a long history took about the work of a short one; a few hundred instructions are the depth of its trees."""
    return large <= 1.3 * small + 5


@pytest.mark.parametrize("line", LINES)
def test_a_verb_does_the_same_work_for_a_long_history(short: Path, long: Path, work: Work, line: str) -> None:
    few, many = (work.of(lambda folder=folder: text_of(folder, line)) for folder in (short, long))
    assert like(few, many), f"{few} and {many} hundred instructions"


def test_looking_for_lost_runs_does_the_same_work_for_a_long_history(short: Path, long: Path, work: Work) -> None:
    def look(folder: Path) -> None:
        with open_store(folder) as store:
            reconcile(store, now=store.now(), see_to_worker=lambda _: None)

    few, many = (work.of(lambda folder=folder: look(folder)) for folder in (short, long))
    assert like(few, many), f"{few} and {many} hundred instructions"


def test_a_step_that_is_reused_each_night_finds_its_result_with_the_same_work(
    short: Path, long: Path, work: Work
) -> None:
    def look(folder: Path) -> None:
        with open_store(folder) as store:
            key = store.steps.runs(step="load", notebook="a.ipynb", limit=1)[0].key
            assert store.steps.candidates(key, limit=1)
            store.steps.last_by_need("a.ipynb")("load")

    few, many = (work.of(lambda folder=folder: look(folder)) for folder in (short, long))
    assert like(few, many), f"{few} and {many} hundred instructions"


@pytest.mark.parametrize("notebook", NOTEBOOKS)
@pytest.mark.parametrize("output", ["nightly.ipynb", "of no run.ipynb"])
def test_whose_states_are_in_view_is_found_with_the_same_work(
    short: Path, long: Path, work: Work, notebook: str, output: str
) -> None:
    def look(folder: Path) -> None:
        with open_store(folder) as store:
            found = find_view(store, notebook, outputs=[folder / output])
            assert found.kind == ("run" if output == "nightly.ipynb" else "record")

    few, many = (work.of(lambda folder=folder: look(folder)) for folder in (short, long))
    assert many <= few + 2, f"{few} and {many} hundred instructions"


def test_the_last_session_of_a_notebook_is_found_however_many_jobs_ran_since(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        session = add_run(store, kind="session")
        for _ in range(LONG):
            add_run(store)
        assert find_view(store, session.notebook).run_id == session.id


@pytest.mark.parametrize("line", LINES)
def test_no_question_of_a_verb_goes_through_a_table_or_sorts_one(long: Path, line: str) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement.lstrip()[:6].lower() in ("select", "with r"):
            asked.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        data_of(long, line)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    with sqlite3.connect(long / ".mlops" / "index.db") as index:
        for statement, parameters in asked:
            for *_, detail in index.execute(f"explain query plan {statement}", parameters).fetchall():
                words = detail.split()
                if words[0] == "SCAN" and words[1] in GROWING:
                    in_order = (
                        "order by runs.number desc" in " ".join(statement.lower().split())
                        and "limit" in statement.lower()
                    )
                    assert in_order, f"{detail} in {statement}"


def test_a_status_says_the_same_of_a_long_history(short: Path, long: Path) -> None:
    told = []
    for folder in (short, long):
        with open_store(folder) as store:
            from jupyter_mlops.analysis.pipeline.cells import cells_of

            cells = cells_of(json.loads((folder / "a.ipynb").read_text()))
            told.append([(step.name, step.state) for step in pipeline_status(store, "a.ipynb", cells).steps])
    assert told[0] == told[1]
