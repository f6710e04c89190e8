"""One project with one MLflow store for the whole session: making a store is slow. Its writer is the real process."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tracked_project import TrackedProject

from jupyter_mlops.store.files.processes import is_alive
from jupyter_mlops.tracking import log_path


@pytest.fixture(autouse=True)
def writers_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about the writer."""
    monkeypatch.delenv("MLOPS_TRACKING", raising=False)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackedProject]:
    """The session's project. Tests make runs of their own in it."""
    made = TrackedProject(tmp_path_factory.mktemp("chürn model"))
    yield made
    made.close()


@pytest.fixture
def other_project(tmp_path: Path) -> Iterator[TrackedProject]:
    """A project of the test's own, with a fresh MLflow store."""
    made = TrackedProject(tmp_path / "other")
    yield made
    made.close()


@pytest.fixture(autouse=True, scope="session")
def no_writer_stays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Writers linger for seconds; at the end of the session those of these tests are told to go."""
    yield
    for log in tmp_path_factory.getbasetemp().rglob(log_path(Path()).name):
        for pid in re.findall(r"writer (\d+) started", log.read_text(encoding="utf-8")):
            if is_alive(int(pid), None) and "tracking.writer" in Path(f"/proc/{pid}/cmdline").read_text(
                encoding="utf-8"
            ):
                os.kill(int(pid), signal.SIGTERM)
