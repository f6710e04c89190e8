"""In a kernel: nothing that it says, and nothing it logs, shows a secret. Installed when the first one is looked up."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from functools import wraps
from typing import Any

from jupyter_mlops.secrets.descriptors import Filtered
from jupyter_mlops.secrets.known import redact
from jupyter_mlops.secrets.outgoing import Outgoing

_protected: dict[str, set[int]] = {"sessions": set(), "descriptors": set(), "logging": set(), "below": set()}
_kept: list[Any] = []
"""Keeps sessions alive whose ids are known."""


def protect() -> None:
    """Let whatever leaves this process go through redaction; what is so already stays as it is."""
    shell = _shell()
    if shell is None:
        return
    for session in _sessions(shell):
        if id(session) not in _protected["sessions"]:
            _protected["sessions"].add(id(session))
            _kept.append(session)
            outgoing = Outgoing(session)
            outgoing.install()
            atexit.register(outgoing.release)
    if not _protected["logging"]:
        _protected["logging"].add(0)
        _protect_logging()
    for descriptor in _descriptors():
        if descriptor not in _protected["descriptors"]:
            _protected["descriptors"].add(descriptor)
            _kept.append(Filtered(descriptor))
    if not _protected["below"]:
        streams = [stream for stream in (sys.stdout, sys.stderr) if getattr(stream, "_should_watch", False)]
        if len({type(stream) for stream in streams}) == 1 and os.name == "posix":
            from jupyter_mlops.secrets.below import Below

            _protected["below"].add(0)
            _kept.append(Below(streams))


def _shell() -> Any:
    """The shell of a kernel that talks by messages; None in any other process."""
    module: Any = sys.modules.get("IPython.core.interactiveshell")
    if module is None or not module.InteractiveShell.initialized():
        return None
    shell = module.InteractiveShell.instance()
    return shell if getattr(shell, "kernel", None) is not None else None


def _sessions(shell: Any) -> list[Any]:
    holders = (shell.kernel, shell.display_pub, shell.displayhook, sys.stdout, sys.stderr)
    found = {id(item): item for holder in holders if (item := getattr(holder, "session", None)) is not None}
    return list(found.values())


def _descriptors() -> list[int]:
    """Where writing below Python ends up: behind ipykernel's own watch, or plainly the standard streams."""
    found = []
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        if getattr(stream, "descriptor", None) == number:
            continue  # in a forked kernel the stream itself reads what is written below it
        behind = getattr(stream, "_original_stdstream_copy", None)
        descriptor = behind if isinstance(behind, int) else number
        if _is_open(descriptor):
            found.append(descriptor)
    return found


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _protect_logging() -> None:
    """Handlers that write into files and sockets of their own."""
    original = logging.Handler.format

    @wraps(original)
    def formatted(self: logging.Handler, record: logging.LogRecord) -> str:
        return redact(original(self, record))

    logging.Handler.format = formatted  # type: ignore[method-assign]
