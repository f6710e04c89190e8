"""A step's `--timeout` and `--retries`: it is interrupted when its time is over, and run again when it failed."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from jupyter_mlops.domain.step_spec import StepSpec
from jupyter_mlops.errors import MLOpsError, RunError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell


FIRST_PAUSE = 1.0
"""Seconds before the first retry; before each further one twice as many, up to `LONGEST_PAUSE`."""
LONGEST_PAUSE = 30.0


class Attempts:
    """Between `begin` and `try_again` the shell runs the step for the first time."""

    def __init__(self, shell: InteractiveShell, spec: StepSpec) -> None:
        self._shell = shell
        self._spec = spec
        self._timer: threading.Timer | None = None
        self._over = False
        self._held: list[tuple[Any, ...]] = []

    def begin(self) -> None:
        """Start the clock; what the step shows of an error is held back while it may not be the last word."""
        self._over = False
        if self._spec.retries or self._spec.timeout is not None:
            self._held.clear()
            vars(self._shell)["_showtraceback"] = lambda *shown: self._held.append(shown)
        if self._spec.timeout is not None:
            self._timer = threading.Timer(self._spec.timeout, self._interrupt)
            self._timer.name = "jupyter-mlops-timeout"
            self._timer.daemon = True
            self._timer.start()

    def _interrupt(self) -> None:
        self._over = True
        main = threading.main_thread().ident
        if hasattr(signal, "pthread_kill") and main is not None:
            signal.pthread_kill(main, signal.SIGINT)  # a real signal, so that it ends a wait in the system too
        else:
            _thread.interrupt_main()

    def try_again(self, result: ExecutionResult, code: str) -> MLOpsError | None:
        """The first attempt ended: try again as often as the step asks for. `result` becomes that of the last attempt.

        Gives the error to show where the time was over.
        """
        error = self._ended(result)
        pause = FIRST_PAUSE
        for _ in range(self._spec.retries):
            if not _failed(result) or (isinstance(result.error_in_exec, KeyboardInterrupt) and error is None):
                break
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            self.begin()
            again = self._shell.run_cell(code, store_history=False)
            result.error_before_exec, result.error_in_exec = again.error_before_exec, again.error_in_exec
            error = self._ended(result)
        if error is not None:
            result.error_in_exec = None  # the caller shows it in its own words
        elif _failed(result) and self._held:
            self._shell._showtraceback(*self._held[-1])
        return error

    def _ended(self, result: ExecutionResult) -> MLOpsError | None:
        if self._timer is not None:
            self._timer.cancel()
        vars(self._shell).pop("_showtraceback", None)
        if self._over and isinstance(result.error_in_exec, KeyboardInterrupt):
            return RunError(
                f"Step '{self._spec.name}' was stopped: it took longer than its --timeout of {self._spec.timeout:g} s.",
                "Raise its --timeout, or give it less to do.",
            )
        return None


def _failed(result: ExecutionResult) -> bool:
    return result.error_before_exec is not None or result.error_in_exec is not None
