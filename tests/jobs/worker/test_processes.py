"""Runs of the queue in workers of their own, stopped, canceled and killed at the worst moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from notebooks import code, read, statuses, write_notebook
from workers import SECONDS, ended, kill, project, start_worker, until

from jupyter_mlops.domain.run import Run, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import InputError, UnknownNameError
from jupyter_mlops.jobs.detached import log_path, worker_log_path
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.operations.runs.cancel import cancel
from jupyter_mlops.operations.runs.submit import submit
from jupyter_mlops.operations.schedules import steering
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
]


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


def recorded(store: Store) -> None:
    """Once the index has the result of the finished step: it is written beside the next cell's work."""
    until(lambda: any(item.step == "first" and item.result for item in store.steps.runs()))
    until(lambda: any(item.step == "long" for item in store.steps.runs()))


def test_a_submitted_run_is_executed_as_it_was_asked_for(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb", code("n = 1\nwhen = str(2)", "parameters"), code("%%step s\nassert (n, when) == (5, '2')")
    )
    with project(tmp_path) as store:
        run = submit(store, path, {"n": 5})
        assert run.parameters == {"n": 5, "when": "str(2)"}
        # A change after the asking is not this run's.
        write_notebook(path, code("raise ValueError('changed')"))
        run = ended(store, run)
        assert run.status is Status.COMPLETED, log_path(store, run).read_text()
        assert run.output_path == "runs/a-1.ipynb"
        assert run.pid != os.getpid()
        until(lambda: "Run 1 completed" in log_path(store, run).read_text())
        assert "[3/3] s executed" in log_path(store, run).read_text()
        assert "Run 1 completed" in worker_log_path(store).read_text()
        assert "[3/3]" not in worker_log_path(store).read_text(), "in a worker's log cells of many runs would mix"
        notebook = read(tmp_path / run.output_path)
        assert statuses(notebook) == ["completed"] * 3


def test_a_worker_outlives_who_asked_serves_the_next_and_ends_when_there_is_nothing_left(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("with open('log', 'a') as f: f.write('x')"))
    script = (
        "import sys; from pathlib import Path; from jupyter_mlops.operations.runs.submit import submit\n"
        "from jupyter_mlops.store.store import Store\n"
        "store = Store.open(Path(sys.argv[1])); submit(store, Path(sys.argv[1]), {})"
    )
    with project(tmp_path) as store:
        for _ in range(2):
            subprocess.run([sys.executable, "-c", script, str(path)], check=True, timeout=SECONDS)
        until(lambda: [run.status for run in store.runs.list()] == [Status.COMPLETED] * 2)
        pids = {run.pid for run in store.runs.list()}
        assert len(pids) == 1
        (pid,) = pids
        until(lambda: store.queue.workers() == [] and not processes.is_alive(pid, None))
        assert "ends." in worker_log_path(store).read_text()
    assert (tmp_path / "log").read_text() == "xx"


def test_a_run_asked_for_twice_by_two_racing_processes_is_executed_once(tmp_path: Path) -> None:
    write_notebook(tmp_path / "a.ipynb", code("n = 0", "parameters"), code("with open('log', 'a') as f: f.write('x')"))
    command = [sys.executable, "-m", "jupyter_mlops.cli.main", "submit", "a.ipynb", "--id", "nightly", "-p", "n"]
    with project(tmp_path) as store:
        racing = [
            subprocess.Popen([*command, "1"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for process in racing:
            _, told = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, told
        (run,) = store.runs.list()
        assert ended(store, run).status is Status.COMPLETED
        other = subprocess.run([*command, "2"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert other.returncode == 2
        assert "'nightly'" in other.stderr
        assert len(store.runs.list()) == 1
    assert (tmp_path / "log").read_text() == "x"


def test_what_cannot_be_is_refused_at_once_and_leaves_no_run(tmp_path: Path) -> None:
    path = sleeper(tmp_path)
    with project(tmp_path) as store:
        for notebook, parameters, kind in (
            (path, {"secnds": 1}, UnknownNameError),
            (path, {"seconds": "1"}, InputError),
            (tmp_path / "b.ipynb", {}, UnknownNameError),
        ):
            with pytest.raises(kind):
                submit(store, notebook, parameters)
        assert store.runs.list() == []


def test_a_canceled_run_stops_its_kernel_and_keeps_what_was_done(tmp_path: Path) -> None:
    with project(tmp_path) as store:
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
        with pytest.raises(InputError, match="already ended"):
            cancel(store, run.id)


def test_a_run_that_no_worker_holds_is_canceled_as_any_other(tmp_path: Path) -> None:
    path = sleeper(tmp_path)
    with project(tmp_path) as store:
        command = [sys.executable, "-m", "jupyter_mlops.cli.main", "run", str(path)]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        begun(tmp_path)
        asked = cancel(store, 1)
        assert (asked.worker_id, asked.stop) == (None, "as asked")
        out, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 1, out + err
        run = ended(store, asked)
        assert run.status is Status.CANCELED
        assert statuses(read(tmp_path / str(run.output_path)))[1] == "completed"


def test_a_cell_that_will_not_stop_is_killed_after_the_grace(tmp_path: Path) -> None:
    stubborn = "while True:\n    try:\n        time.sleep(100)\n    except KeyboardInterrupt:\n        pass"
    with project(tmp_path) as store:
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
    with project(tmp_path) as store:
        run = submit(store, sleeper(tmp_path), {})
        assert cancel(store, run.id).status is Status.CANCELED
        until(lambda: store.queue.workers() == [])
        assert store.runs.get(run.id).status is Status.CANCELED
    assert not (tmp_path / "begun").exists()


def test_a_killed_worker_loses_its_run_by_name_and_leaves_no_kernel(tmp_path: Path) -> None:
    with project(tmp_path) as store:
        run = submit(store, sleeper(tmp_path), {}, options=RunOptions(attempts=0))
        kernel = begun(tmp_path)
        recorded(store)
        run = store.runs.get(run.id)
        assert run.progress.step == "long"
        assert run.pid is not None
        kill(run.pid)
        until(lambda: not processes.is_alive(run.pid, run.pid_started))
        reconcile(store, now=store.now())
        run = store.runs.get(run.id)
        assert run.status is Status.LOST
        assert run.error is not None
        assert (run.error.cause, run.error.step) == ("runner_lost", "long")
        assert {item.step: item.status for item in store.steps.runs()} == {
            "cell@c0": Status.COMPLETED,
            "first": Status.COMPLETED,
            "long": Status.LOST,
        }
        assert statuses(read(tmp_path / "runs" / "a-1.ipynb"))[:3] == ["completed", "completed", "failed"]
        until(lambda: not processes.is_alive(kernel, None))
        assert len(store.runs.list()) == 1


def test_a_run_whose_worker_is_killed_goes_on_in_another_without_its_finished_steps(tmp_path: Path) -> None:
    body = "import pathlib, time\nif not pathlib.Path('go').exists(): time.sleep(100)"
    with project(tmp_path) as store:
        run = submit(store, sleeper(tmp_path, body), {})
        begun(tmp_path)
        recorded(store)
        lost = store.runs.get(run.id)
        assert lost.pid is not None
        (tmp_path / "go").touch()
        kill(lost.pid)
        until(lambda: not processes.is_alive(lost.pid, lost.pid_started))
        for _ in range(3):
            reconcile(store, now=store.now())
        again = ended(store, store.runs.list()[0])
        assert len(store.runs.list()) == 2
        assert (again.status, again.attempt, again.resumes) == (Status.COMPLETED, 1, run.id)
        assert store.runs.get(run.id).status is Status.LOST
        found = {item.step: item.status for item in store.steps.runs(run_id=again.id)}
        assert (found["first"], found["long"]) == (Status.REUSED, Status.COMPLETED)


def test_a_worker_told_to_end_lets_its_run_end_and_leaves_no_process(tmp_path: Path) -> None:
    with project(tmp_path) as store:
        run = submit(store, sleeper(tmp_path, "time.sleep(2)"), {})
        kernel = begun(tmp_path)
        os.kill(int(store.runs.get(run.id).pid or 0), signal.SIGTERM)
        assert ended(store, run).status is Status.COMPLETED
        until(lambda: store.queue.workers() == [] and not processes.is_alive(kernel, None))


def test_a_worker_told_twice_stops_its_run_by_name_and_the_next_worker_takes_it_up(tmp_path: Path) -> None:
    body = "import pathlib, time\nif not pathlib.Path('go').exists(): time.sleep(100)"
    with project(tmp_path) as store:
        run = submit(store, sleeper(tmp_path, body), {})
        kernel = begun(tmp_path)
        pid = int(store.runs.get(run.id).pid or 0)
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.5)
        os.kill(pid, signal.SIGTERM)
        stopped = ended(store, run)
        assert stopped.error is not None
        assert (stopped.status, stopped.error.cause) == (Status.CANCELED, "interrupted")
        until(lambda: not processes.is_alive(kernel, None) and not processes.is_alive(pid, None))
        (tmp_path / "go").touch()
        worker = start_worker(tmp_path, "--drain")
        assert worker.wait(SECONDS) == 0
        assert [each.status for each in store.runs.list()] == [Status.COMPLETED, Status.CANCELED]


def test_a_kernel_killed_from_outside_fails_the_run(tmp_path: Path) -> None:
    with project(tmp_path) as store:
        run = submit(store, sleeper(tmp_path), {})
        os.kill(begun(tmp_path), signal.SIGKILL)
        run = ended(store, run)
        assert run.status is Status.FAILED
        assert run.error is not None
        assert (run.error.cause, run.error.step) == ("kernel_died", "long")
        assert statuses(read(tmp_path / str(run.output_path))) == ["completed", "completed", "failed", "pending"]


def test_the_scheduler_starts_real_runs_and_stops_in_good_order(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", code("n = 1", "parameters"))
    with project(tmp_path) as store:
        from jupyter_mlops.jobs.scheduler.starting import scheduler_status
        from jupyter_mlops.operations.schedules.making import ScheduleRequest, add_schedule

        schedule = add_schedule(
            store,
            path,
            ScheduleRequest(cron="*/30 * * * *", parameters={"n": 2}, zone="UTC"),
            now=store.now() - timedelta(hours=1),
        )
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


def test_each_fire_time_runs_once_though_scheduler_and_worker_are_killed(tmp_path: Path) -> None:
    """A schedule every three seconds; scheduler and worker are real processes that are killed in turn."""
    path = write_notebook(tmp_path / "a.ipynb", code("n = 1", "parameters"), code("m = n"))
    with project(tmp_path) as store:
        from jupyter_mlops.jobs.scheduler.starting import ensure_scheduler, stop_schedulers
        from jupyter_mlops.operations.schedules.making import ScheduleRequest, add_schedule

        schedule = add_schedule(store, path, ScheduleRequest(every=3.0, zone="UTC"), now=store.now())
        begun = store.now()
        for turn in range(3):
            ensure_scheduler(store)
            until(lambda turn=turn: len(store.schedules.fires(schedule.id)) >= 2 * (turn + 1))
            (heart,) = store.schedules.heartbeats()
            os.kill(heart.pid, signal.SIGKILL)
            until(lambda pid=heart.pid: not psutil.pid_exists(pid))
            for worker in store.queue.living(store.now()):
                os.kill(worker.pid, signal.SIGKILL)
        ensure_scheduler(store)
        until(lambda: len(store.schedules.fires(schedule.id)) >= 8)
        steering.pause_schedule(store, schedule.number, now=store.now())
        until(lambda: not store.runs.open())
        stop_schedulers(store)
        fires = list(reversed(store.schedules.fires(schedule.id)))
        expected = [schedule.created_at + timedelta(seconds=3 * (index + 1)) for index in range(len(fires))]
        assert [fire.fire_at for fire in fires] == expected
        assert {fire.status for fire in fires} == {"started"}
        assert fires[0].fire_at > begun - timedelta(seconds=3)
        of_fire = {fire.run_id for fire in fires}
        completed = [run for run in store.runs.list() if run.status is Status.COMPLETED]
        assert len(completed) == len(fires) == len(of_fire)
        origins = {origin_of(store, run).id for run in completed}
        assert origins == of_fire, "each fire time has one run that completed, itself or what continued it"


def origin_of(store: Store, run: Run) -> Run:
    """The run that this one, taken up from a dead worker, continues in the end."""
    while run.resumes is not None:
        run = store.runs.get(run.resumes)
    return run
