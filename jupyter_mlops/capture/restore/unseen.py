"""Runs code as a cell of which nothing shows: no output, no result, no history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_mlops.errors import NotStoredError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def run_unseen(shell: InteractiveShell, code: str) -> Any:
    """Run code unseen; gives what it would have shown last. Raises `NotStoredError` where it fails."""
    from IPython.utils.capture import capture_output

    shown: list[Any] = []
    trap = shell.display_trap
    hook, trap.hook = trap.hook, shown.append
    try:
        with capture_output():
            result = shell.run_cell(code, store_history=False)
    finally:
        trap.hook = hook
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        raise NotStoredError(
            f"A value that was not stored cannot be recomputed: {type(error).__name__}: {error}",
            "Run the notebook from the top.",
        )
    return shown[-1] if shown else None
