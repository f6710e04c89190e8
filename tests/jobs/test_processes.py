"""Runs in processes of their own, stopped, canceled and killed at the worst moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from notebooks import code, read, statuses, write_notebook

from jupyter_mlops.domain.run import Run
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.jobs.spawn import log_path, spawn
from jupyter_mlops.jobs.stale import reconcile
from jupyter_mlops.operations.cancel import cancel
from jupyter_mlops.operations.submit import submit
from jupyter_mlops.store import processes
from jupyter_mlops.store.store import Store

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
]

SECONDS = 60


def until(condition: Callable[[], Any]) -> Any:
    """Wait for something another process does."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it never happened")


def ended(store: Store, run: Run) -> Run:
    until(lambda: store.runs.get(run.id).status.ended)
    return store.runs.get(run.id)


def sleeper(folder: Path, body: str = "time.sleep(100)") -> Path:
    """A notebook whose second cell says that it has begun, and then takes long."""
    return write_notebook(
        folder / "a.ipynb",
        code("seconds = 100", "parameters"),
        code("%%step first\nimport os, pathlib, time\nx = 1"),
        code(f"%%step long\npathlib.Path('begun').write_text(str(os.getpid()))\n{body}"),
        code("y = 2"),
    )


def begun(folder: Path) -> int:
    """The pid of the kernel, once it is within the long cell."""
    text = until(lambda: (folder / "begun").exists() and (folder / "begun").read_text())
    return int(text)


def test_a_submitted_run_is_executed_as_it_was_asked_for(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb", code("n = 1\nwhen = str(2)", "parameters"), code("%%step s\nassert (n, when) == (5, '2')")
    )
    with Store.open(tmp_path) as store:
        run = submit(store, path, {"n": 5})
        assert run.parameters == {"n": 5, "when": "str(2)"}
        # A change after the asking is not this run's.
        write_notebook(path, code("raise ValueError('changed')"))
        run = ended(store, run)
        assert run.status is Status.COMPLETED, log_path(store, run).read_text()
        assert run.output_path == "runs/a-1.ipynb"
        assert run.pid != os.getpid()
        until(lambda: "Run 1 completed" in log_path(store, run).read_text())
        notebook = read(tmp_path / run.output_path)
        assert statuses(notebook) == ["completed"] * 3


def test_a_run_started_twice_is_executed_once(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("with open('log', 'a') as f: f.write('x')"))
    with Store.open(tmp_path) as store:
        run = submit(store, path, {})
        spawn(store, run)
        run = ended(store, run)
        until(lambda: log_path(store, run).read_text().count("Run 1") >= 3)
        assert run.status is Status.COMPLETED
    assert (tmp_path / "log").read_text() == "x"


def test_what_cannot_be_is_refused_at_once_and_leaves_no_run(tmp_path: Path) -> None:
    path = sleeper(tmp_path)
    with Store.open(tmp_path) as store:
        for notebook, parameters, kind in (
            (path, {"secnds": 1}, UnknownNameError),
            (path, {"seconds": "1"}, InputError),
            (tmp_path / "b.ipynb", {}, UnknownNameError),
        ):
            with pytest.raises(kind):
                submit(store, notebook, parameters)
        assert store.runs.list() == []


def test_a_canceled_run_stops_its_kernel_and_keeps_what_was_done(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = submit(store, sleeper(tmp_path), {})
        kernel = begun(tmp_path)
        cancel(store, run.number)
        run = ended(store, run)
        assert run.status is Status.CANCELED
        assert run.error is not None
        assert (run.error.cause, run.error.step) == ("canceled", "long")
        assert {item.step: item.status for item in store.steps.runs()}["first"] is Status.COMPLETED
        assert not any(item.status is Status.RUNNING for item in store.steps.runs())
        notebook = read(tmp_path / str(run.output_path))
        assert statuses(notebook) == ["completed", "completed", "failed", "pending"]
        assert notebook["metadata"]["papermill"]["exception"] is True
        until(lambda: not processes.is_alive(kernel, None))
        with pytest.raises(InputError, match="ended already"):
            cancel(store, run.id)


def test_a_cell_that_will_not_stop_is_killed_after_the_grace(tmp_path: Path) -> None:
    stubborn = "while True:\n    try:\n        time.sleep(100)\n    except KeyboardInterrupt:\n        pass"
    with Store.open(tmp_path) as store:
        run = submit(store, sleeper(tmp_path, stubborn), {})
        kernel = begun(tmp_path)
        began = time.monotonic()
        cancel(store, run.id)
        run = ended(store, run)
        assert run.status is Status.CANCELED
        assert time.monotonic() - began < 15
        until(lambda: not processes.is_alive(kernel, None))
        assert statuses(read(tmp_path / str(run.output_path)))[2:] == ["failed", "pending"]


def test_a_pending_run_is_canceled_at_once(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = submit(store, sleeper(tmp_path), {})
        assert cancel(store, run.id).status is Status.CANCELED
        until(lambda: not processes.is_alive(run.pid, run.pid_started))
        assert store.runs.get(run.id).status is Status.CANCELED
    assert not (tmp_path / "begun").exists()


def test_a_killed_runner_loses_its_run_by_name_and_leaves_no_kernel(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = submit(store, sleeper(tmp_path), {})
        kernel = begun(tmp_path)
        run = store.runs.get(run.id)
        assert run.progress.step == "long"
        assert run.pid is not None
        # The state of the notebook is in its file, although nothing was written since the cell began.
        output = tmp_path / "runs" / "a-1.ipynb"
        until(lambda: statuses(read(output))[:3] == ["completed", "completed", "running"])
        os.kill(run.pid, signal.SIGKILL)
        until(lambda: not processes.is_alive(run.pid, run.pid_started))
        reconcile(store, now=store.now())
        run = store.runs.get(run.id)
        assert run.status is Status.LOST
        assert run.error is not None
        assert run.error.cause == "runner_lost"
        assert {item.step: item.status for item in store.steps.runs()} == {
            "cell@c0": Status.COMPLETED,
            "first": Status.COMPLETED,
            "long": Status.LOST,
        }
        until(lambda: not processes.is_alive(kernel, None))


def test_a_kernel_killed_from_outside_fails_the_run(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        run = submit(store, sleeper(tmp_path), {})
        os.kill(begun(tmp_path), signal.SIGKILL)
        run = ended(store, run)
        assert run.status is Status.FAILED
        assert run.error is not None
        assert (run.error.cause, run.error.step) == ("kernel_died", "long")
        assert statuses(read(tmp_path / str(run.output_path))) == ["completed", "completed", "failed", "pending"]


def test_the_scheduler_starts_real_runs_and_stops_in_good_order(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("n = 1", "parameters"))
    with Store.open(tmp_path) as store:
        from datetime import timedelta

        from jupyter_mlops.operations.schedule import add_schedule, scheduler_status

        schedule = add_schedule(store, path, "*/30 * * * *", {"n": 2}, zone="UTC", now=store.now() - timedelta(hours=1))
        command = [sys.executable, "-m", "jupyter_mlops.cli.main", "scheduler"]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            until(lambda: len([run for run in store.runs.list() if run.status is Status.COMPLETED]) == 2)
            assert scheduler_status(store, store.now()).alive
        finally:
            process.terminate()
            _, log = process.communicate(timeout=SECONDS)
        assert process.returncode == 0
        assert not scheduler_status(store, store.now()).alive
        assert "Scheduler stopped" in log
        assert log.count("Schedule 1 (a.ipynb): run") == 2
        assert [fire.status for fire in store.schedules.fires(schedule.id)] == ["started", "started"]
        assert {run.parameters["n"] for run in store.runs.list()} == {2}
