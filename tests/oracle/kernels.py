"""Forked kernels as seen from outside: start one in a folder, play cells, see what they showed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .zygote import receive, send

NOTE = "application/vnd.jupyter-mlops.note+json"
QUIET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "MLOPS_TRACKING": "later",
    "MLOPS_CAPTURE": "all",
}
SECONDS = 120
"""How long the cells of a notebook may take."""
_NORMAL = (
    (re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
    (re.compile(r"(?:0|\.\.\.)x[0-9a-fA-F]{5,}"), "0xADDRESS"),
    (re.compile(r"(sk-(?:container|estimator)-id-)\d+"), r"\1N"),
    (re.compile(r"/tmp/ipykernel_\d+/\d+\.py(:\d+)?"), "CELL"),
    (re.compile(r"^(CPU times|Wall time).*$", re.M), r"\1"),
)


def normal(text: Any, folder: str) -> str:
    """A shown text without what differs between any two runs."""
    text = str(text).replace(folder, "FOLDER")
    for pattern, replacement in _NORMAL:
        text = pattern.sub(replacement, text)
    return text


@dataclass
class Shown:
    """What one cell showed, normalised, and what became of it: "ran", "reused", or "" where nobody says."""

    outputs: list[tuple[str, Any]] = field(default_factory=list)
    became: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    complaint: str = ""


class Zygote:
    """The process that forks kernels; `seed` is that of its strings' hashes."""

    def __init__(self, seed: int = 0) -> None:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **QUIET, "PYTHONHASHSEED": str(seed)}
        command = [sys.executable, str(Path(__file__).with_name("zygote.py")), str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
        theirs.close()
        self._control = ours
        self._ready = False

    def start(self, folder: Path, capture: bool, **environment: str) -> ForkedKernel:
        """Fork a kernel."""
        if not self._ready:
            assert self._control.recv(1) == b"r", "the zygote does not start"
            self._ready = True
        ours, theirs = socket.socketpair()
        socket.send_fds(self._control, [b"f"], [theirs.fileno()])
        theirs.close()
        return ForkedKernel(ours, folder, capture, environment)

    def close(self) -> None:
        self._control.close()
        self._process.wait(20)


class ForkedKernel:
    """A kernel without sockets of its own."""

    def __init__(self, connection: socket.socket, folder: Path, capture: bool, environment: dict[str, str]) -> None:
        self._connection = connection
        connection.settimeout(SECONDS)
        self._folder = str(folder)
        send(connection, {"folder": str(folder), "capture": capture, "environment": environment})
        started = receive(connection)
        assert started is not None, "the forked kernel does not start"
        self._pid: int = started["pid"]

    def play(self, cells: list[dict[str, Any]], **environment: str) -> list[Shown]:
        """Run cells (`code`, `id`, `tags`) in order, whatever they raise."""
        send(self._connection, {"cells": cells, "environment": environment})
        try:
            answer = receive(self._connection)
        except TimeoutError:
            os.kill(self._pid, signal.SIGKILL)
            codes = "\n---\n".join(cell["code"] for cell in cells)
            raise AssertionError(f"These cells did not end within {SECONDS} s:\n{codes}") from None
        assert answer is not None, "the forked kernel died"
        return [
            self._shown(messages, answer["records"].get(cell.get("id", ""), {}))
            for messages, cell in zip(answer["shown"], cells, strict=True)
        ]

    def _shown(self, messages: list[Any], record: dict[str, Any]) -> Shown:
        shown = Shown(record=record)
        if record:
            shown.became = "reused" if record["status"] == "reused" else "ran"
        for kind, content in messages:
            if NOTE in content.get("data", {}):
                note = content["data"][NOTE]
                if note["note"] == "reused":
                    shown.became = "reused"
                elif note["note"] == "warning":
                    shown.complaint += f"{note['message']}\n"
            elif kind == "stream":
                text = normal(content["text"], self._folder)
                if shown.outputs and shown.outputs[-1][0] == content["name"]:
                    shown.outputs[-1] = (content["name"], shown.outputs[-1][1] + text)
                elif text:
                    shown.outputs.append((content["name"], text))
            elif kind == "error":
                shown.outputs.append((kind, normal(f"{content['ename']}: {content['evalue']}", self._folder)))
            elif kind == "clear_output":
                shown.outputs.append((kind, content["wait"]))
            else:
                data = {mime: normal(value, self._folder) for mime, value in sorted(content["data"].items())}
                shown.outputs.append((kind, {**data, **content.get("transient", {})}))
        return shown

    def close(self) -> None:
        """End it and wait until all is written."""
        self._connection.shutdown(socket.SHUT_WR)
        while self._connection.recv(1024):
            pass
        self._connection.close()
