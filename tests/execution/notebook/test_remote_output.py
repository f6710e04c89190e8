"""Outputs that are no local files: where papermill's handlers reach, a notebook is written from its journal there too."""

from __future__ import annotations

import json
import os
import warnings
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from dying import dies_on, killed
from notebooks import code, statuses, write_notebook
from repaired import WHILE, owed, reconciled
from s3server import S3Server

from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.jobs.recovery import recover
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel

OUT = "elsewhere://out.ipynb"
DIES = dies_on("OutputWritten", "'second' in str(event.output)")
posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
REMOTE = """
import os, signal
import papermill
from papermill.iorw import papermill_io

class Folder:
    def write(self, text, path):
        open(path.replace("folder://", ""), "w").write(text)
    def read(self, path):
        return open(path.replace("folder://", "")).read()
    def pretty_path(self, path):
        return path

papermill_io.register("folder://", Folder())
{dies}
papermill.execute_notebook("a.ipynb", {target!r}, engine_name="mlops", progress_bar=False)
"""
"""papermill with a handler of files below another name, as packages bring them; it is killed in the second cell."""


class Elsewhere:
    """A handler of papermill's: a place that is out of reach while there is the file `storm`."""

    def __init__(self, storm: Path) -> None:
        self.storm = storm
        self.files: dict[str, str] = {}

    def write(self, text: str, path: str) -> None:
        if self.storm.exists():
            raise ConnectionResetError("no one there")
        self.files[path] = text

    def read(self, path: str) -> str:
        return self.files[path]

    def pretty_path(self, path: str) -> str:
        return path


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    from papermill.iorw import papermill_io

    monkeypatch.setattr(papermill_io, "_handlers", list(papermill_io._handlers))
    handler = Elsewhere(tmp_path / "storm")
    papermill_io.register("elsewhere://", handler)
    return handler


def execute_in_a_storm(folder: Path) -> None:
    """papermill with an output elsewhere, which is out of reach from the first cell on."""
    import papermill as pm

    path = write_notebook(folder / "a.ipynb", code("open('storm', 'w')\nprint('first')"))
    with pytest.raises(MLOpsError, match="ConnectionResetError: no one there"):
        pm.execute_notebook(path, OUT, engine_name="mlops", progress_bar=False, cwd=folder)


def record(began: datetime) -> str:
    return json.dumps({"metadata": {"papermill": {"start_time": began.isoformat()}}, "cells": []})


@posix
def test_a_lost_run_gets_its_notebook_in_s3(tmp_path: Path, s3: S3Server) -> None:
    target = f"{s3.new_bucket()}/out.ipynb"
    killed(tmp_path, REMOTE.format(target=target, dies=DIES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # boto's own
        run = reconciled(tmp_path)
    assert (run.status, run.output_path) == (Status.LOST, target)
    assert run.error is not None
    assert "not saved" not in run.error.message
    bucket, key = target.removeprefix("s3://").split("/", 1)
    saved = json.loads(s3.client.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert statuses(saved) == ["completed", "failed", "pending"]
    assert owed(tmp_path) == []


@posix
def test_where_no_handler_reaches_that_is_said_and_done_where_one_does(
    tmp_path: Path, elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture
) -> None:
    from papermill.iorw import papermill_io

    killed(tmp_path, REMOTE.format(target="folder://out.ipynb", dies=DIES))
    lost = reconciled(tmp_path, timedelta())
    assert lost.error is not None
    assert "could not be saved: 'folder://out.ipynb' cannot be written: papermill has no handler" in lost.error.message
    assert "cannot be written from its journal yet" in caplog.text
    assert not (tmp_path / "folder:").exists()
    papermill_io.register("folder://", elsewhere)
    run = reconciled(tmp_path)
    assert statuses(json.loads(elsewhere.files["folder://out.ipynb"])) == ["completed", "failed", "pending"]
    assert run.error is not None
    assert run.error.message.endswith(recover.LATER)


def test_an_output_that_is_not_reached_at_the_end_fails_the_run_and_is_written_later(
    tmp_path: Path, elsewhere: Elsewhere
) -> None:
    execute_in_a_storm(tmp_path)
    full = reconciled(tmp_path)
    assert (full.status, full.error and full.error.cause) == (Status.FAILED, "not_saved")
    assert statuses(json.loads(elsewhere.files[OUT])) == ["pending"]
    elsewhere.storm.unlink()
    run = reconciled(tmp_path, 2 * WHILE)
    assert statuses(json.loads(elsewhere.files[OUT])) == ["completed"]
    assert run.error is not None
    assert run.error.message.endswith(recover.LATER)
    assert owed(tmp_path) == []


@pytest.mark.parametrize("is_newer", [True, False])
def test_the_notebook_of_a_newer_run_elsewhere_is_left_alone(
    tmp_path: Path, elsewhere: Elsewhere, is_newer: bool
) -> None:
    execute_in_a_storm(tmp_path)
    with Store.open(tmp_path) as store:
        run = store.runs.get(1)
    assert run.created_at is not None
    assert run.ended_at is not None
    elsewhere.files[OUT] = there = record(run.ended_at if is_newer else run.created_at)
    elsewhere.storm.unlink()
    reconciled(tmp_path)
    assert (elsewhere.files[OUT] == there) is is_newer
    assert owed(tmp_path) == []
