"""A project made by an earlier build opens, and goes on: its runs, queue, schedules, results and MLflow data.

`build-8d1c350.tar.xz` is the folder of a project as that build left it when all of its processes were killed: two jobs
of `churn.ipynb` and a live session of it, a job of `report.ipynb` that failed as `table.csv` was missing, a job that
waits in the queue, a schedule, an archive of all results. The pages that were made of executed notebooks are left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from mlflow import MlflowClient
from workers import SECONDS, start_worker

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.jobs.scheduler.scheduler import Scheduler
from jupyter_mlops.store.store import Store
from jupyter_mlops.tracking import drain
from jupyter_mlops.tracking.uri import artifacts_folder, local_folder, own_uri

pytestmark = pytest.mark.kernel
NAMED = ["load", "report", "train"]
EARLIER = Path(__file__).with_name("build-8d1c350.tar.xz")


def unpack(folder: Path) -> Path:
    with tarfile.open(EARLIER) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # newer Pythons have it
        archive.extractall(folder)
    return folder / "churn"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, which the tests here continue one after the other."""
    return unpack(tmp_path_factory.mktemp("earlier"))


@pytest.fixture
def store(project: Path) -> Iterator[Store]:
    with Store.open(project) as opened:
        yield opened


def mlops(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jupyter_mlops.cli.main", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ)


def by_number(store: Store, number: int) -> Run:
    return next(run for run in store.runs.list(limit=100) if run.number == number)


def test_it_is_sound_and_its_history_is_all_there(project: Path, store: Store) -> None:
    runs = {run.number: run for run in store.runs.list(limit=100)}
    assert {number: (run.status, run.kind, run.notebook) for number, run in runs.items()} == {
        1: (Status.COMPLETED, "job", "churn.ipynb"),
        2: (Status.COMPLETED, "job", "churn.ipynb"),
        3: (Status.FAILED, "job", "report.ipynb"),
        4: (Status.COMPLETED, "session", "(no notebook)"),
        5: (Status.PENDING, "job", "churn.ipynb"),
    }
    assert runs[2].parameters == {"depth": 3, "rows": 40}
    assert mlops(project, "store", "verify").returncode == 0
    assert "parameter 'depth' changed: 2 → 3" in mlops(project, "why", "train", "--notebook", "churn.ipynb").stdout


def test_its_schedule_fires_and_what_waited_in_its_queue_is_executed_once(project: Path, store: Store) -> None:
    moment = datetime(2026, 12, 2, 2, 0, 30, tzinfo=timezone.utc)
    Scheduler(store, now=lambda: moment, sleep=lambda _: None, spawn=lambda _store, _run: None).tick()
    fired = by_number(store, 6)
    assert (fired.kind, fired.parameters["depth"], fired.status) == ("schedule", 4, Status.PENDING)
    assert by_number(store, 5).asked_as == "nightly"
    assert start_worker(project, "--drain").wait(SECONDS) == 0
    for number, depth in ((5, 5), (6, 4)):
        run = by_number(store, number)
        assert (run.status, run.attempt) == (Status.COMPLETED, 0)
        assert f"with depth {depth}" in (project / str(run.output_path)).read_text(encoding="utf-8")
        steps = store.steps.runs(run_id=run.id)
        assert sorted(step.step for step in steps if step.step in NAMED) == NAMED


def test_a_run_that_failed_under_it_is_continued(project: Path, store: Store) -> None:
    (project / "table.csv").write_text("a,b\n", encoding="utf-8")
    done = mlops(project, "resume", "3")
    assert done.returncode == 0, done.stderr
    assert by_number(store, 7).resumes == by_number(store, 3).id
    assert "42 a,b" in (project / "runs" / "report-7.ipynb").read_text(encoding="utf-8")


def test_what_was_executed_anew_is_reused_from_then_on(project: Path, store: Store) -> None:
    done = mlops(project, "run", "churn.ipynb", "-p", "depth", "5")
    assert done.returncode == 0, done.stderr
    reused = [step.step for step in store.steps.runs(run_id=by_number(store, 8).id) if step.status is Status.REUSED]
    assert set(reused) >= set(NAMED)


def test_mlflow_is_told_each_run_once_and_names_files_where_the_project_is_now(
    project: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLOPS_TRACKING")
    assert drain(store, timeout=SECONDS)
    client = MlflowClient(own_uri(project))
    (experiment,) = [found for found in client.search_experiments() if found.name == "churn"]
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    ids = Counter(run.data.tags["mlops.id"] for run in runs)
    expected = {run.id for run in store.runs.list(limit=100)}
    assert {id_: ids[id_] for id_ in expected} == dict.fromkeys(expected, 1)
    folders = [local_folder(run.info.artifact_uri) for run in runs]
    assert all(folder is not None and folder.is_relative_to(artifacts_folder(project)) for folder in folders)


def test_its_archive_brings_results_that_are_reused_once_they_are_trusted(project: Path, tmp_path: Path) -> None:
    (tmp_path / "report.ipynb").write_bytes((project / "report.ipynb").read_bytes())
    (tmp_path / "table.csv").write_text("a,b\n", encoding="utf-8")
    done = mlops(tmp_path, "store", "import", str(project / "results.tar.gz"), "--trust")
    assert done.returncode == 0, done.stderr
    done = mlops(tmp_path, "run", "report.ipynb")
    assert done.returncode == 0, done.stderr
    with Store.open(tmp_path) as store:
        newest = max(store.runs.list(limit=100), key=lambda run: run.number)
        reused = [step.step for step in store.steps.runs(run_id=newest.id) if step.status is Status.REUSED]
    assert reused == ["slow"]
