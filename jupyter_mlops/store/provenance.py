"""Where a run comes from: the git commit its notebook's folder stands at, and the environment it is executed in."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from jupyter_mlops.store.objects import Objects

GIT_SECONDS = 10.0


def git_tags(folder: Path) -> dict[str, str]:
    """`git.commit`, `git.branch` and `git.dirty` ("true" where a tracked file was changed) of a folder; empty without git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return {}
    tags = {"git.commit": commit}
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
    if branch:
        tags["git.branch"] = branch
    changes = _git(folder, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    tags["git.dirty"] = "unknown" if changes is None else str(bool(changes)).lower()
    return tags


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def environment() -> dict[str, object]:
    """Interpreter, platform and the installed packages (`name==version`, sorted) of this process."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "packages": list(_packages(_marks())),
    }


def _marks() -> tuple[tuple[str, int], ...]:
    """Each folder of the import path with the time of its last change: what is installed changes one of them."""
    found = []
    for entry in sys.path:
        with contextlib.suppress(OSError):
            found.append((entry, os.stat(entry or ".").st_mtime_ns))
    return tuple(found)


@lru_cache(maxsize=2)
def _packages(_found: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """Looked at once for all runs of a process: there may be hundreds."""
    packages = {
        f"{distribution.metadata['Name']}=={distribution.version}"
        for distribution in importlib.metadata.distributions()
        if distribution.metadata["Name"]
    }
    return tuple(sorted(packages, key=str.lower))


def keep_environment(objects: Objects) -> str:
    """Store this process's environment as JSON; returns the object's name."""
    return objects.put(json.dumps(environment(), indent=1).encode())
