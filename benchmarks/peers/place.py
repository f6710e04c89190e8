"""The peers' own virtual environment, made when it is first needed, and their versions."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from jupyter_mlops import __version__

FOLDER = Path(__file__).resolve().parent.parent / ".peers"
PACKAGES = ("marimo", "joblib", "jupyter-cache", "kishu")
_WITH = ("pandas", "numpy", "pyarrow", "ipykernel", "nbclient", "nbformat")

_ERROR = re.compile(r"(\w*Error|ERROR|error):")


class PeerError(Exception):
    """A peer's program ended with an error: its last line."""


def python() -> Path:
    """The Python that has the peers, once they are `installed`."""
    return FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def installed() -> None:
    """Makes the environment where it is not there. Raises `PeerError` with pip's last error where it cannot be made."""
    done = FOLDER / ".done"
    wanted = "\n".join((platform.python_version(), *PACKAGES, *_WITH))
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], FOLDER.parent, timeout=300)
    (FOLDER / ".gitignore").write_text("*\n", encoding="utf-8")
    run([str(python()), "-m", "pip", "install", "-q", *PACKAGES, *_WITH], FOLDER, timeout=1800)
    done.write_text(wanted, encoding="utf-8")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Package → version: ours, the peers and what they work with."""
    code = "import json; from importlib.metadata import version; print(json.dumps({n: version(n) for n in %r}))"
    theirs = json.loads(run([str(python()), "-c", code % ((*PACKAGES, "pandas", "numpy"),)], FOLDER))
    return {"jupyter-mlops": __version__, **theirs}


def run(
    command: Sequence[str], folder: Path, *, environment: Mapping[str, str] | None = None, timeout: float = 120
) -> str:
    """What a program prints. Raises `PeerError` where it fails or takes too long."""
    variables = {**os.environ, "PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"}
    variables |= {"PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}
    variables.pop("PYTHONPATH", None)
    try:
        done = subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"took more than {error.timeout:.0f} s") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"ended with {done.returncode}"]
        raise PeerError(next((line for line in reversed(lines) if _ERROR.search(line)), lines[-1]).strip()[:200])
    return done.stdout
