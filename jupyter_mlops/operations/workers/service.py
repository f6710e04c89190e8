"""`service`: worker and scheduler of a project as systemd user units, so that they live whenever the machine does."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlops.errors import InputError, MLOpsError
from jupyter_mlops.jobs.worker.worker import GRACE_SECONDS, STOP_SECONDS
from jupyter_mlops.store.files.atomic import write_atomically

PARTS = ("worker", "scheduler")


@dataclass(frozen=True)
class Unit:
    """One unit: its name, the file it belongs into, and its text. `state` is as systemd tells, "" where it was not asked."""

    name: str
    file: Path
    text: str
    state: str = ""


def units(root: Path, *, slots: int | None = None) -> tuple[Unit, ...]:
    """The units of the project at `root`, whether they are installed or not."""
    # Two projects may have one name; the path tells them apart.
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", root.name).strip("-.") or "project"
    mark = hashlib.sha256(str(root).encode()).hexdigest()[:8]
    words = {"worker": ["worker", *(["--slots", str(slots)] if slots else [])], "scheduler": ["scheduler"]}
    return tuple(
        Unit(f"mlops-{part}-{name}-{mark}.service", _folder() / f"mlops-{part}-{name}-{mark}.service", text)
        for part in PARTS
        for text in [_text(part, root, words[part])]
    )


def is_there() -> bool:
    """Whether this machine has a systemd that looks after the user's units now."""
    return shutil.which("systemctl") is not None and _systemctl("show-environment").returncode == 0


def install(root: Path, *, slots: int | None = None) -> tuple[Unit, ...]:
    """Write the units, enable and start them. Raises `InputError` where there is no systemd.

    Raises `MLOpsError` with systemd's own words where it refuses.
    """
    if not is_there():
        raise InputError(
            "This user has no systemd here.",
            "To install the units by hand, print them: jupyter mlops service install --print",
        )
    made = units(root, slots=slots)
    for unit in made:
        unit.file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(unit.file, [unit.text.encode()])
    _told("daemon-reload")
    for unit in made:
        _told("enable", "--now", unit.name)
    return status(root)


def uninstall(root: Path) -> tuple[Unit, ...]:
    """Stop and remove the units that are installed; gives those. Raises `MLOpsError` where systemd refuses."""
    found = tuple(unit for unit in units(root) if unit.file.exists())
    for unit in found:
        if is_there():
            _told("disable", "--now", unit.name)
        unit.file.unlink()
    if found and is_there():
        _told("daemon-reload")
    return found


def status(root: Path) -> tuple[Unit, ...]:
    """The units with their states: not installed, active, inactive, failed; "installed" where systemd cannot be asked."""
    there = is_there()
    return tuple(Unit(unit.name, unit.file, unit.text, _state(unit, there)) for unit in units(root))


def _state(unit: Unit, there: bool) -> str:
    if not unit.file.exists():
        return "not installed"
    return _systemctl("is-active", unit.name).stdout.strip() if there else "installed"


def _folder() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "systemd" / "user"


def _text(part: str, root: Path, words: list[str]) -> str:
    """The unit's text. The module is called by the interpreter's path: a service has no environment activated."""
    command = [sys.executable, "-m", "jupyter_mlops.cli.main", *words]
    seconds = int(GRACE_SECONDS + STOP_SECONDS + 10)
    return f"""\
[Unit]
Description=jupyter-mlops {part} of {_escaped(str(root))}

[Service]
Type=exec
WorkingDirectory={_escaped(str(root))}
Environment={_quoted("PATH=" + os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]))}
ExecStart={" ".join(map(_quoted, command))}
Restart=on-failure
RestartSec=5
KillMode=mixed
TimeoutStopSec={seconds}

[Install]
WantedBy=default.target
"""


def _escaped(text: str) -> str:
    """systemd reads `%` as the start of a specifier."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    word = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{word}"' if re.search(r"[\s'\"\\;]", word) else word


def _systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemctl", "--user", *words], capture_output=True, text=True, check=False, timeout=60)


def _told(*words: str) -> None:
    done = _systemctl(*words)
    if done.returncode != 0:
        raise MLOpsError(
            f"`systemctl --user {' '.join(words)}` failed: {done.stderr.strip()}",
            "See `journalctl --user` for the reason.",
        )
