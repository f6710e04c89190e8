"""This build and an earlier one, each with a history of its own schema, and what is asked of them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import BenchmarkError

EARLIER = "8d1c350"
"""The commit that is compared with."""
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "benchmarks" / ".history"
TOKEN = "benchmark"
START_SECONDS = 120
ANSWER_SECONDS = 600


@dataclass(frozen=True)
class Build:
    """A source tree that is run in this environment: it stands first on the path."""

    name: str
    source: Path

    def environment(self) -> dict[str, str]:
        """Of its processes."""
        return {**os.environ, "PYTHONPATH": str(self.source)}

    def run(self, *words: str, folder: Path) -> None:
        """Run Python with these words; raises `BenchmarkError` where it fails."""
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=folder, env=self.environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"{' '.join(words)} of {self.name} failed: {done.stderr[-600:]}", "Run it by hand.")


def builds() -> tuple[Build, Build]:
    """This build, and the earlier one, whose files are taken from git. Raises `BenchmarkError` where git has it not."""
    earlier = FOLDER / EARLIER
    if not (earlier / "jupyter_mlops").is_dir():
        FOLDER.mkdir(exist_ok=True)
        archive = FOLDER / f"{EARLIER}.tar"
        git = ["git", "-C", str(ROOT), "archive", "-o", str(archive), EARLIER, "jupyter_mlops"]
        done = subprocess.run(git, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(
                f"the build {EARLIER} to compare with is not in this checkout: {done.stderr.strip()}",
                "It needs the project's git history: git fetch --unshallow",
            )
        with tarfile.open(archive) as files:
            files.extractall(earlier)
        archive.unlink()
    return Build("now", ROOT), Build(EARLIER, earlier)


def make_histories(count: int, folder: Path, now: Build, earlier: Build) -> dict[Build, Path]:
    """The same history of `count` runs for each build: made by the earlier one, and brought up to date by this one."""
    made = {earlier: folder / earlier.name / str(count), now: folder / now.name / str(count)}
    made[earlier].mkdir(parents=True)
    earlier.run(str(HERE / "maker.py"), str(made[earlier]), str(count), folder=made[earlier])
    shutil.copytree(made[earlier], made[now])
    now.run("-m", "jupyter_mlops.cli.main", "runs", "-n", "1", folder=made[now])
    return made


class Asker:
    """A process of a build that times verbs without its own start."""

    def __init__(self, build: Build, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "asker.py"), str(folder)],
            cwd=folder,
            env=build.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, words: Sequence[str]) -> float:
        """Of one call."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(list(words))}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise BenchmarkError(f"`{' '.join(words)}` failed", "What it said stands above.")
        return float(answer)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Server:
    """A Jupyter server of a build on a port of this machine alone."""

    def __init__(self, build: Build, folder: Path) -> None:
        self._runtime = folder / ".runtime"
        self._runtime.mkdir(exist_ok=True)
        flags = [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={TOKEN}", "--ServerApp.port=0"]
        flags += ["--no-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.log_level=ERROR", "--allow-root"]
        flags += ["--ServerApp.jpserver_extensions={'jupyter_mlops': True}"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *flags],
            cwd=folder,
            env={**build.environment(), "JUPYTER_RUNTIME_DIR": str(self._runtime)},
        )
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port(), timeout=ANSWER_SECONDS)

    def _port(self) -> int:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            for found in self._runtime.glob("jpserver-*.json"):
                with contextlib.suppress(ValueError, KeyError):
                    return int(json.loads(found.read_text())["port"])
            time.sleep(0.2)
        self._process.kill()
        raise BenchmarkError("a Jupyter server did not start", "What it said stands above.")

    def seconds(self, method: str, route: str, body: Any = None) -> float:
        """Of one request, to the last byte of its answer."""
        data = None if body is None else json.dumps(body)
        began = time.perf_counter()
        self._connection.request(method, f"/jupyter-mlops/{route}", data, {"Authorization": f"token {TOKEN}"})
        response = self._connection.getresponse()
        answer = response.read()
        took = time.perf_counter() - began
        if response.status != 200:
            raise BenchmarkError(
                f"{method} {route} answered {response.status}: {answer[:300]!r}", "See the server's log."
            )
        return took

    def close(self) -> None:
        """End the server."""
        self._connection.close()
        self._process.terminate()
        self._process.wait()


@contextlib.contextmanager
def closing(things: Sequence[Asker | Server]) -> Iterator[None]:
    """Close all of them in the end."""
    try:
        yield
    finally:
        for thing in things:
            thing.close()
