"""How runs end in real kernels, stopped from another thread or by a limit: quickly, and with the cause told apart."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from notebooks import code, read, shown, statuses, write_notebook
from workers import until

from jupyter_mlops.domain.run import Run, RunOptions
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import CellFailedError, KernelDiedError, MLOpsError, RunError
from jupyter_mlops.execution.engine.stop import Stop
from jupyter_mlops.execution.notebook.events import ExecutionEvent, KernelStarted
from jupyter_mlops.jobs.queue.request import check_request
from jupyter_mlops.jobs.queue.submission import create_run
from jupyter_mlops.jobs.running.events import CELL_ENDED, CELL_STARTED, RunEvent
from jupyter_mlops.jobs.running.job import execute
from jupyter_mlops.operations.runs.run import run_notebook
from jupyter_mlops.store.files import processes
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.steps import UNSAVED

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
]

FAST = 2.0
"""Seconds from the word to the recorded end, for a cell that can be interrupted."""
KILLED = 3.5
"""The same for one that has to be killed."""


def patience() -> float:
    """How many times longer all takes on a machine that others keep busy too."""
    return max(1.0, 2 * os.getloadavg()[0] / (os.cpu_count() or 1))


class InThread:
    """A run in a thread of this process, as a worker's slot has it."""

    def __init__(self, path: Path, options: RunOptions | None = None) -> None:
        self.stop = Stop()
        self.error: MLOpsError | None = None
        self.seconds = 0.0
        self.root = path.parent
        self._path = path
        self._options = options
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with Store.open(self._path) as store:
            request = check_request(self._path, {})
            run = create_run(store, request, kind="job", now=store.now(), options=self._options)
            try:
                execute(store, run, request, None, stop=self.stop)
            except MLOpsError as error:
                self.error = error

    def end(self) -> Run:
        """The run, when it has ended."""
        began = time.monotonic()
        self._thread.join(60)
        self.seconds = time.monotonic() - began
        with Store.open(self._path) as store:
            return store.runs.get(1)


def notebook(folder: Path, body: str) -> Path:
    """Its second cell says that it has begun, and goes on with `body`."""
    return write_notebook(
        folder / "a.ipynb",
        code("%%step first\nimport itertools, os, pathlib, subprocess, time\nx = 1\nprint('first')\ntime.sleep(0.3)"),
        code(f"%%step long\nprint('so far', flush=True)\npathlib.Path('begun').write_text(str(os.getpid()))\n{body}"),
        code("y = 2"),
    )


def events_of(root: Path) -> list[dict[str, Any]]:
    with Store.open(root) as store:
        return list(store.journals.read(store.runs.get(1).id))


def output_of(root: Path) -> dict[str, Any]:
    return read(root / "runs" / "a-1.ipynb")


STUBBORN = "while True:\n    try:\n        time.sleep(100)\n    except KeyboardInterrupt:\n        pass"


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ("time.sleep(60)", FAST),
        ("while True:\n    pass", FAST),
        ("subprocess.run(['sleep', '60'])", FAST),
        ("sum(itertools.repeat(1, 10**11))", KILLED),
        (STUBBORN, KILLED),
    ],
    ids=["sleep", "python", "subprocess", "native", "stubborn"],
)
def test_a_run_is_canceled_within_two_seconds(tmp_path: Path, body: str, limit: float) -> None:
    running = InThread(notebook(tmp_path, body))
    kernel = int(until(lambda: (tmp_path / "begun").exists() and (tmp_path / "begun").read_text()))
    time.sleep(0.2)
    running.stop.ask("by a test")
    run = running.end()
    assert running.seconds < limit * patience()
    assert run.status is Status.CANCELED
    assert run.error is not None
    assert (run.error.cause, run.error.step, run.error.message) == ("canceled", "long", "Canceled (by a test).")
    assert not processes.is_alive(kernel, None)
    saved = output_of(tmp_path)
    assert statuses(saved) == ["completed", "failed", "pending"]
    assert "so far" in shown(saved["cells"][3])
    assert saved["metadata"]["papermill"]["exception"] is True
    with Store.open(tmp_path) as store:
        found = {item.step: item.status for item in store.steps.runs()}
        assert found.pop("first") is Status.COMPLETED
        # Native code may keep the kernel from telling that a step began.
        assert set(found.values()) <= {Status.CANCELED}
    kinds = [event["event"] for event in events_of(tmp_path)]
    assert kinds[-3:] == ["cell_ended", "interrupted", "run_ended"]


def test_a_step_that_completed_is_not_told_as_canceled_where_the_next_one_kept_it_from_being_saved(
    tmp_path: Path,
) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb",
        code("import itertools, pathlib, time"),
        code("%%step first\nx = 1\ntime.sleep(0.07)"),  # its beginning is recorded meanwhile, its end is not yet
        code("%%step long\npathlib.Path('begun').touch()\nsum(itertools.repeat(1, 10**11))"),
    )
    running = InThread(path)
    until((tmp_path / "begun").exists)
    running.stop.ask("by a test")
    assert running.end().status is Status.CANCELED
    with Store.open(tmp_path) as store:
        (first,) = store.steps.runs(step="first")
    assert first.status is Status.COMPLETED
    assert first.duration is not None
    assert first.ended_at is not None
    assert (first.result is None) == (first.unrepeatable == UNSAVED)


def test_a_second_word_kills_at_once(tmp_path: Path) -> None:
    running = InThread(notebook(tmp_path, STUBBORN))
    until((tmp_path / "begun").exists)
    running.stop.ask("by a test")
    running.stop.ask("by a test")
    assert running.end().status is Status.CANCELED
    assert running.seconds < 1.5 * patience()


def test_a_run_that_was_stopped_before_it_began_executes_nothing(tmp_path: Path) -> None:
    path = notebook(tmp_path, "pass")
    with Store.open(path) as store:
        request = check_request(path, {})
        run = create_run(store, request, kind="job", now=store.now())
        stop = Stop()
        stop.ask("shutdown", "interrupted")
        with pytest.raises(MLOpsError, match="shutdown"):
            execute(store, run, request, None, stop=stop)
        run = store.runs.get(1)
    assert (run.status, run.error and run.error.cause) == (Status.CANCELED, "interrupted")
    assert not (tmp_path / "begun").exists()
    assert statuses(output_of(tmp_path)) == ["pending"] * 3


def test_many_runs_in_threads_of_one_process_end_each_for_its_own_reason(tmp_path: Path) -> None:
    """One completes, one is canceled, one fails, one takes too long."""
    bodies = ["pass", "time.sleep(60)", "1 / 0", "time.sleep(60)"]
    limits = [None, None, None, RunOptions(cell_seconds=8)]
    paths = [notebook(tmp_path / str(index), body) for index, body in enumerate(bodies)]
    running = [InThread(path, options) for path, options in zip(paths, limits, strict=True)]
    until((tmp_path / "1" / "begun").exists)
    running[1].stop.ask("by a test")
    ended = [each.end() for each in running]
    assert [run.status for run in ended] == [Status.COMPLETED, Status.CANCELED, Status.FAILED, Status.FAILED]
    assert [run.error and run.error.cause for run in ended] == [None, "canceled", "cell_error", "step_timeout"]


def run_to_its_end(path: Path, **options: Any) -> tuple[RunError, dict[str, Any]]:
    with pytest.raises(RunError) as caught:
        run_notebook(path, {}, options=RunOptions(**options))
    return caught.value, output_of(path.parent)


def test_a_cell_that_takes_too_long_ends_the_run_and_shows_where_it_was(tmp_path: Path) -> None:
    error, saved = run_to_its_end(notebook(tmp_path, "time.sleep(60)"), cell_seconds=6.0)
    assert isinstance(error, CellFailedError)
    assert error.message == "Step 'long' failed: The cell timed out: it took longer than 6 s."
    run = error.details["run"]
    assert (run.status, run.error.cause, run.error.step) == (Status.FAILED, "step_timeout", "long")
    assert statuses(saved) == ["completed", "failed", "pending"]
    (shown_error,) = [output for output in saved["cells"][3]["outputs"] if output["output_type"] == "error"]
    assert shown_error["ename"] == "CellTimeout"
    assert "KeyboardInterrupt" in str(shown_error["traceback"])
    assert [event["event"] for event in events_of(tmp_path)][-2:] == ["failed", "run_ended"]


def test_a_cell_that_swallows_its_timeout_has_failed_all_the_same(tmp_path: Path) -> None:
    body = "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('swallowed')"
    error, saved = run_to_its_end(notebook(tmp_path, body), cell_seconds=6.0)
    assert error.details["run"].error.cause == "step_timeout"
    assert statuses(saved) == ["completed", "failed", "pending"]
    assert "swallowed" in shown(saved["cells"][3])


def test_a_cell_that_cannot_be_interrupted_is_killed_after_its_time(tmp_path: Path) -> None:
    error, saved = run_to_its_end(notebook(tmp_path, "sum(itertools.repeat(1, 10**11))"), cell_seconds=6.0)
    assert error.details["run"].error.cause == "step_timeout"
    assert statuses(saved) == ["completed", "failed", "pending"]


def test_the_time_of_a_run_counts_over_its_cells(tmp_path: Path) -> None:
    cells = [code(f"%%step s{index} --no-cache\nimport time\ntime.sleep(0.5)") for index in range(100)]
    began = time.monotonic()
    error, saved = run_to_its_end(write_notebook(tmp_path / "a.ipynb", *cells), run_seconds=6.0)
    assert 6.0 < time.monotonic() - began < 12.0 * patience()
    run = error.details["run"]
    assert (run.status, run.error.cause) == (Status.FAILED, "run_timeout")
    assert "longer than 6 s" in run.error.message
    found = statuses(saved)
    completed = found.count("completed")
    assert found == ["completed"] * completed + ["failed"] * (run.error.cell_index is not None) + ["pending"] * (
        found.count("pending")
    )


def test_a_steps_own_timeout_and_retries_are_told_apart(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb",
        code("%%step flaky --retries 2\nimport os\nopen('tries', 'a').write('x')\nassert os.path.getsize('tries') > 1"),
        code("%%step slow --timeout 1s\nimport time\ntime.sleep(60)"),
    )
    error, saved = run_to_its_end(path)
    run = error.details["run"]
    assert (run.error.cause, run.error.step) == ("step_timeout", "slow")
    assert "--timeout of 1 s" in run.error.message
    assert (tmp_path / "tries").read_text() == "xx"
    assert statuses(saved) == ["completed", "failed"]


GROWS = "held = []\nfor _ in range(1000):\n    held.append(bytearray(b'x') * 20_000_000)\n    time.sleep(0.05)"
AT_ONCE = "held = bytearray(b'x') * 3_000_000_000\ntime.sleep(60)"
IN_A_CHILD = f"subprocess.run(['python3', '-c', {('import time' + chr(10) + GROWS)!r}])"


@pytest.mark.parametrize("body", [GROWS, AT_ONCE, IN_A_CHILD], ids=["grows", "at-once", "in-a-child"])
def test_a_kernel_that_takes_more_memory_than_it_may_is_stopped_by_name(tmp_path: Path, body: str) -> None:
    began = time.monotonic()
    error, saved = run_to_its_end(notebook(tmp_path, body), memory=600_000_000)
    assert time.monotonic() - began < 30 * patience()
    assert isinstance(error, KernelDiedError)
    run = error.details["run"]
    assert (run.status, run.error.cause, run.error.step) == (Status.FAILED, "out_of_memory", "long")
    assert "more than its limit of 600 MB" in run.error.message
    assert statuses(saved) == ["completed", "failed", "pending"]
    assert "OutOfMemory" in [output.get("ename") for output in saved["cells"][3]["outputs"]]
    assert [event["event"] for event in events_of(tmp_path)][-2:] == ["killed", "run_ended"]
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True).stdout == ""


def test_a_kernel_within_its_memory_is_left_alone(tmp_path: Path) -> None:
    path = notebook(tmp_path, "held = bytearray(b'x') * 50_000_000\ntime.sleep(1)")
    assert run_notebook(path, {}, options=RunOptions(memory=2_000_000_000)).status is Status.COMPLETED


@pytest.mark.parametrize("moment", ["starting", "between", "saving"])
def test_a_kernel_killed_at_any_moment_is_told_with_its_signal(tmp_path: Path, moment: str) -> None:
    """Within a cell is another test's."""
    path = notebook(tmp_path, "pass")

    def kill() -> None:
        (pid,) = [event["pid"] for event in events_of(tmp_path) if event["event"] == "kernel_started"]
        os.kill(pid, signal.SIGKILL)
        until(lambda: not processes.is_alive(pid, None))

    def on_event(event: RunEvent) -> None:
        if moment == "between" and event.kind == CELL_ENDED and event.step == "first":
            kill()

    with pytest.MonkeyPatch.context() as patch:
        if moment == "starting":
            from jupyter_mlops.jobs.running import recorder

            told = recorder.Recorder.on_event

            def tell_and_kill(self: recorder.Recorder, event: ExecutionEvent) -> None:
                told(self, event)
                if isinstance(event, KernelStarted):
                    kill()

            patch.setattr(recorder.Recorder, "on_event", tell_and_kill)
        if moment == "saving":
            from jupyter_mlops.execution.notebook.output_file import OutputFile

            save = OutputFile.save_if_due

            def save_and_kill(self: OutputFile, notebook: Any) -> None:
                if statuses(notebook)[:2] == ["completed", "pending"]:
                    kill()
                save(self, notebook)

            patch.setattr(OutputFile, "save_if_due", save_and_kill)
        with pytest.raises(KernelDiedError):
            run_notebook(path, {}, on_event=on_event)
    with Store.open(path) as store:
        run = store.runs.get(1)
    assert run.error is not None
    assert (run.status, run.error.cause, run.error.signal) == (Status.FAILED, "kernel_died", "SIGKILL")
    done = 0 if moment == "starting" else 1
    found = statuses(output_of(tmp_path))
    assert found[:done] == ["completed"] * done
    assert "completed" not in found[done:]


def test_a_death_within_a_cell_keeps_what_it_wrote_last(tmp_path: Path) -> None:
    body = "import sys\nprint('last words', flush=True)\ntime.sleep(0.3)\nos.kill(os.getpid(), 9)"
    starts: list[float] = []

    def on_event(event: RunEvent) -> None:
        if event.kind == CELL_STARTED and event.step == "long":
            starts.append(time.monotonic())

    with pytest.raises(KernelDiedError) as caught:
        run_notebook(notebook(tmp_path, body), {}, on_event=on_event)
    run = caught.value.details["run"]
    assert (run.error.cause, run.error.signal, run.error.exit_code) == ("kernel_died", "SIGKILL", -9)
    assert "last words" in shown(output_of(tmp_path)["cells"][3])
    assert time.monotonic() - starts[0] < 3 * patience()


def test_a_kernel_that_leaves_by_itself_tells_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(KernelDiedError) as caught:
        run_notebook(notebook(tmp_path, "os._exit(3)"), {})
    run = caught.value.details["run"]
    assert (run.error.cause, run.error.signal, run.error.exit_code) == ("kernel_died", "", 3)


def test_a_system_short_of_memory_is_named_where_it_killed_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_mlops.execution.engine import memory

    def kills() -> int:
        begun = tmp_path / "begun"
        return 7 + (begun.exists() and not processes.is_alive(int(begun.read_text()), None))

    monkeypatch.setattr(memory, "_oom_kills", kills)
    with pytest.raises(KernelDiedError, match="The system ran out of memory"):
        run_notebook(notebook(tmp_path, "os.kill(os.getpid(), 9)"), {})
    with Store.open(tmp_path) as store:
        error = store.runs.get(1).error
    assert error is not None
    assert (error.cause, error.signal) == ("out_of_memory", "SIGKILL")
