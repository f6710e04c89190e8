"""Loads capture into a shell and gives it the `%mlops` line magic. Nothing heavy is imported here."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.capture.kernel.ipykernel_patches import keep_last_words, keep_packing, send_before_flush_returns
from jupyter_mlops.capture.kernel.shell import ShellHooks, import_ahead, open_session
from jupyter_mlops.capture.session.session import Session
from jupyter_mlops.domain import variables
from jupyter_mlops.magics.completion import add_matcher
from jupyter_mlops.magics.listener import KernelListener
from jupyter_mlops.secrets.known import KNOWN

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_mlops.domain.run import TrackedAt

_loaded: dict[int, tuple[ShellHooks, Any, Callable[[], None]]] = {}


def load(shell: InteractiveShell, form: Callable[[Path], None] | None = None) -> None:
    """`%load_ext jupyter_mlops`; `form` shows the form of a notebook. Loading twice changes nothing."""
    if id(shell) in _loaded:
        return
    session = open_session(shell, KernelListener, _tracked_at)
    hooks = ShellHooks(session)
    hooks.install()
    guard_secrets()
    send_before_flush_returns(shell)
    keep_last_words(shell)
    keep_packing(shell)
    shell.register_magic_function(_line_magic(session, form), "line", "mlops")
    atexit.register(session.run.close)
    _loaded[id(shell)] = (hooks, session, add_matcher(shell.Completer, session))
    import_ahead()


def unload(shell: InteractiveShell) -> None:
    """`%unload_ext jupyter_mlops`."""
    found = _loaded.pop(id(shell), None)
    if found is not None:
        hooks, session, forget_matcher = found
        hooks.remove()
        forget_matcher()
        shell.magics_manager.magics["line"].pop("mlops", None)
        atexit.unregister(session.run.close)
        session.run.close()


def guard_secrets() -> None:
    """Secrets in the environment are hidden from now on; what MLflow is told, from the first secret on."""
    if any(name.startswith(variables.SECRET_PREFIX) for name in os.environ):
        from jupyter_mlops.secrets.lookup import register_environment

        register_environment()
    KNOWN.when_first(_guard_mlflow)


def _guard_mlflow() -> None:
    from jupyter_mlops.tracking.secrecy import guard

    guard()


def _tracked_at(root: Path) -> TrackedAt:
    """Where a run of a project is tracked: the writer is another process, and must not decide by its own environment."""
    from jupyter_mlops.tracking.uri import place_of

    return place_of(root)


def _line_magic(session: Session, form: Callable[[Path], None] | None) -> Any:
    def mlops(line: str) -> None:
        """Show and steer steps, runs and schedules: %mlops help"""
        from jupyter_mlops.magics.line import run_line

        run_line(line, session, form)

    return mlops
