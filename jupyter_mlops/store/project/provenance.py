"""Where a run comes from: the git commit its notebook's folder stands at, and the environment it is executed in."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.store.objects.local import Objects

GIT_SECONDS = 10.0


def git_tags(folder: Path) -> dict[str, str]:
    """`git.commit`, `git.branch` and `git.dirty` ("true" where a tracked file was changed) of a folder; empty without git."""
    if not _is_in_repository(folder):
        return {}
    told = _git(
        folder, "--no-optional-locks", "-c", "status.aheadBehind=false",
        "status", "--porcelain=v2", "--branch", "--untracked-files=no",
    )  # fmt: skip
    if told is None:  # it takes too long in a very large one
        commit = _git(folder, "rev-parse", "HEAD")
        branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
        return {"git.commit": commit, "git.branch": branch or "HEAD", "git.dirty": "unknown"} if commit else {}
    said = dict(line[2:].split(" ", 1) for line in told.splitlines() if line.startswith("# branch."))
    commit, branch = said.get("branch.oid", _NONE), said.get("branch.head", _DETACHED)
    if commit == _NONE:
        return {}
    is_dirty = any(not line.startswith("#") for line in told.splitlines())
    return {
        "git.commit": commit,
        "git.branch": "HEAD" if branch == _DETACHED else branch,
        "git.dirty": str(is_dirty).lower(),
    }


_NONE, _DETACHED = "(initial)", "(detached)"


def _is_in_repository(folder: Path) -> bool:
    """Whether it is worth starting git."""
    place = Path(os.path.realpath(folder))
    return "GIT_DIR" in os.environ or any((above / ".git").exists() for above in (place, *place.parents))


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
        "packages": list(_packages()),
    }


def _packages() -> tuple[str, ...]:
    """The packages in the folders of the import path; each folder is looked into again only where something changed."""
    found = []
    for entry in sys.path:
        with contextlib.suppress(OSError):
            found.append(_packages_in(entry, os.stat(entry or ".").st_mtime_ns))
    return _together(tuple(found))


@lru_cache(maxsize=4)
def _together(found: tuple[frozenset[str], ...]) -> tuple[str, ...]:
    return tuple(sorted(frozenset().union(*found), key=str.lower))


@lru_cache(maxsize=64)
def _packages_in(folder: str, _modified: int) -> frozenset[str]:
    return frozenset(filter(None, map(_package, importlib.metadata.distributions(path=[folder]))))


def _package(distribution: importlib.metadata.Distribution) -> str:
    """`name==version` as it stands at the head of the metadata: to parse all of it takes twenty times as long."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    head = dict(line.split(": ", 1) for line in text.partition("\n\n")[0].splitlines() if line.startswith(_NAMED))
    return f"{head['Name']}=={head.get('Version', '')}" if head.get("Name") else ""


_NAMED = ("Name: ", "Version: ")


def keep_environment(objects: Objects) -> str:
    """Store this process's environment as JSON; returns the object's name."""
    return objects.put(_environment_with(_packages(), sys.executable))


@lru_cache(maxsize=4)
def _environment_with(_packages: tuple[str, ...], _executable: str) -> bytes:
    return dumps(environment(), indent=1).encode()
