"""Two processes that write at once lose nothing."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store import open_store

WRITES = 100


def write_runs(root: str, who: str, barrier: Barrier) -> None:
    """What each process does; both make the project at the same moment."""
    barrier.wait(60)
    with open_store(root) as store:
        for number in range(WRITES):
            now = store.now()
            run = store.runs.create(
                Run(store.new_id(), 0, "job", f"{who}.ipynb", Status.PENDING, {"n": number}, created_at=now)
            )
            store.runs.start(run.id, now=now)
            version = store.steps.version("shared.ipynb", "step", f"digest-{number}", "code", now=now)
            store.objects.put(f"shared {number}".encode(), signed=True)
            store.runs.finish(run.id, Status.COMPLETED, now=store.now(), tags={"version": str(version.number)})


def test_two_processes_that_make_a_project_and_write_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    writers = [context.Process(target=write_runs, args=(str(tmp_path), who, barrier)) for who in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0]
    with open_store(tmp_path) as store:
        runs = store.runs.list()
        assert sorted(run.number for run in runs) == list(range(1, 2 * WRITES + 1))
        assert {run.status for run in runs} == {Status.COMPLETED}
        for who in ("a", "b"):
            assert sorted(run.parameters["n"] for run in runs if run.notebook == f"{who}.ipynb") == list(range(WRITES))
        versions = store.steps.versions("step")
        assert [version.number for version in versions] == list(range(1, WRITES + 1)), "one version of each content"
        assert {version.digest for version in versions} == {f"digest-{number}" for number in range(WRITES)}
        assert store.outbox.size() == 2 * WRITES * 3, "each change is told once"
        paths = [path for path in store.objects.folder.rglob("*") if path.is_file()]
        assert len(paths) == 2 * WRITES, "an object and a signature each, and no temporary file"
