"""A job of one command uses the warm kernels of a worker that is alive."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_mlops.execution.kernels.warm import sharing
from jupyter_mlops.execution.kernels.warm.pool import Pool
from jupyter_mlops.execution.kernels.warm.wire import Frames, packed, receive_first

from .played import notebook_of, play

pytestmark = pytest.mark.kernel


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of this test's own."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


def test_a_kernel_is_borrowed_once_the_imports_are_loaded(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "ANSWER_SECONDS", 60.0)  # a busy machine answers late, and that is another reason
    notebook = notebook_of(["import cronsim\n1 + 1", "import os\nos.getppid()", "1 / 0"])
    assert play(notebook, tmp_path)[2].why == "no process with warm kernels is alive"
    with Pool(lends=True) as pool:
        first = play(notebook, tmp_path)[2]
        assert (first.kind, "not have these imports yet" in first.why) == ("ordinary", True), first.why
        deadline = time.monotonic() + 60
        while not pool.pids() and time.monotonic() < deadline:
            time.sleep(0.05)
        executed, outcome, told = play(notebook, tmp_path)
        assert (told.kind, outcome.status) == ("warm", "completed")
        assert executed.cells[0].outputs[0].data["text/plain"] == "2"
        assert int(executed.cells[1].outputs[0].data["text/plain"]) in pool.pids()
        assert executed.cells[2].outputs[0].ename == "ZeroDivisionError"
        died = play(notebook_of(["import os\nos._exit(7)"]), tmp_path)
        assert (died[2].kind, died[1].error.exit_code) == ("warm", 7)
    assert not list(sharing.folder().iterdir())


def test_a_runner_of_another_version_is_lent_nothing_and_borrows_nothing(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"command": [sys.executable], "folder": str(tmp_path), "environment": {}, "names": []}
    with Pool(lends=True) as pool:
        (path,) = sharing.folder().iterdir()
        ours, theirs = socket.socketpair()
        with ours, theirs, socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            socket.send_fds(connection, [packed(asked)], [theirs.fileno()])
            ((told, _),) = receive_first(connection, Frames())
        assert told == {"refused": "the worker has another version of jupyter-mlops"}
        assert not pool.pids()
    path = sharing.folder() / f"{os.getpid()}.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        answering = threading.Thread(target=_answer, args=(listening, {"note": ""}))
        answering.start()

        def sent_and_answered(*arguments: Any) -> int:
            sent = send_fds(*arguments)
            answering.join()
            return sent

        send_fds = socket.send_fds
        monkeypatch.setattr(socket, "send_fds", sent_and_answered)
        assert play(notebook_of(["1"]), tmp_path)[2].why == "the worker has another version of jupyter-mlops"
    path.unlink()


def _answer(listening: socket.socket, message: dict[str, str]) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(1 << 16)
        connection.sendall(packed(message))


def test_the_socket_is_its_users_alone(runtime: Path) -> None:
    with Pool(lends=True):
        (path,) = sharing.folder().iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_a_dead_worker_left_is_no_hindrance(tmp_path: Path, runtime: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = sharing.folder() / f"{dead.pid}.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(left))
    assert play(notebook_of(["x = 1"]), tmp_path)[1].status == "completed"
    assert not left.exists()


def test_a_borrowed_kernel_outlives_the_worker_and_no_more(tmp_path: Path, runtime: Path) -> None:
    pool = Pool(lends=True)
    code = (
        "import time\nfrom pathlib import Path\nPath('there').touch()\nwhile not Path('go').exists(): time.sleep(0.05)"
    )
    notebook = notebook_of(["import os\nos.getpid()", code, "'done'"])
    play(notebook_of(["x = 1"]), tmp_path, pool)
    (parent,) = pool.pids()
    process = psutil.Process(parent)
    import threading

    def close() -> None:
        while not (tmp_path / "there").exists():
            time.sleep(0.05)
        pool.close()
        (tmp_path / "go").touch()

    closer = threading.Thread(target=close)
    closer.start()
    executed, outcome, told = play(notebook, tmp_path)
    closer.join()
    assert (told.kind, outcome.status) == ("warm", "completed")
    assert executed.cells[2].outputs[0].data["text/plain"] == "'done'"
    deadline = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert not os.path.exists(f"/proc/{executed.cells[0].outputs[0].data['text/plain']}")
