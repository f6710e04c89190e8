"""How an execution ended, or why it is to end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jupyter_mlops.domain.brief import KEPT_ERROR
from jupyter_mlops.domain.run import RunFailure
from jupyter_mlops.domain.status import Status
from jupyter_mlops.errors import KernelDiedError, StoreError, beginning
from jupyter_mlops.execution.notebook.nodes import CellNode

AGAIN = "Finished steps are kept: run it again, and they are reused."
LESS_TO_DO = "Give it more time, or less to do. " + AGAIN
SEE_KERNEL = "Try it: jupyter run --kernel NAME, or see what `jupyter kernelspec list` shows for it."
SEE_TRACEBACK = "The executed notebook has the full traceback."
TIMED_OUT = "StepTimedOut"
"""The name of the error by which a kernel says that a step took longer than its own --timeout."""


@dataclass(frozen=True)
class NotebookOutcome:
    """How an execution ended: completed, failed or canceled; `hint` says what to do about `error`.

    `source` and `count` are the text and the execution count of the cell where it ended, if it ended in one. `unsaved`
    is how it would have ended where the executed notebook, which says so, could not be written. `ended_early` says which
    cells `sys.exit()` left out.
    """

    status: Status
    error: RunFailure | None = None
    hint: str = ""
    traceback: tuple[str, ...] = ()
    source: str = ""
    count: int | None = None
    unsaved: NotebookOutcome | None = None
    ended_early: str = ""

    @property
    def cell_failed(self) -> bool:
        """Whether it ended within a cell, and not well."""
        return self.status is not Status.COMPLETED and self.error is not None and self.error.cell_index is not None

    def of_cell(self, cell: CellNode) -> NotebookOutcome:
        """The same, with what `cell`, where it ended, says of itself; the hint is told once, beside it."""
        lines = tuple(line.removesuffix(f" {self.hint}") for line in traceback_of(cell))
        return replace(self, source=str(cell.source), count=cell.execution_count, traceback=lines)

    def not_saved(self, error: StoreError) -> NotebookOutcome:
        """The same where the executed notebook could not be written."""
        if self.error is None:
            message = f"All cells were executed, but the executed notebook could not be saved: {error.message}"
            told = RunFailure("not_saved", message, ename=type(error).__name__)
            return NotebookOutcome(Status.FAILED, told, error.hint, unsaved=self)
        return replace(self, error=unsaved(self.error, error.message), hint=f"{self.hint} {error.hint}", unsaved=self)


def unsaved(error: RunFailure, why: str) -> RunFailure:
    """Why a run ended, and why its executed notebook could not be written either."""
    return replace(error, message=f"{error.message} The executed notebook could not be saved: {why}")


def of_open_steps(status: Status, error: RunFailure | None) -> tuple[Status, str]:
    """How the steps end that a run which ended so had begun, and why."""
    ended = Status.CANCELED if status is Status.CANCELED else Status.FAILED
    return ended, error.message if error else "The kernel ended before the result was saved."


@dataclass(frozen=True)
class StopReason:
    """Why an execution is made to end: a cause of `RunFailure` with its words."""

    cause: str
    message: str
    ename: str
    hint: str = AGAIN
    status: Status = Status.FAILED

    def outcome(self, index: int | None) -> NotebookOutcome:
        """What it ended with, in the cell `index` or between two."""
        error = RunFailure(self.cause, self.message, cell_index=index, ename=self.ename, evalue=self.message)
        return NotebookOutcome(self.status, error, self.hint)


def asked(word: str, cause: str) -> StopReason:
    """Someone asked for it, by a signal or a word."""
    verb = "Interrupted" if cause == "interrupted" else "Canceled"
    return StopReason(cause, f"{verb} ({word}).", verb, status=Status.CANCELED)


def step_took_long(seconds: float) -> StopReason:
    """A cell took longer than any cell may."""
    return StopReason(
        "step_timeout", f"The cell timed out: it took longer than {seconds:g} s.", "CellTimeout", LESS_TO_DO
    )


def run_took_long(seconds: float) -> StopReason:
    """The run took longer than it may."""
    return StopReason("run_timeout", f"The run timed out: it took longer than {seconds:g} s.", "RunTimeout", LESS_TO_DO)


def did_not_start(kernel_name: str, error: Exception, death: KernelDiedError | None) -> NotebookOutcome:
    """The kernel's process was launched and did not answer; `death` where it is gone."""
    message = f"The kernel '{kernel_name}' did not start: {error}."
    details = {} if death is None else death.details
    signal, code = str(details.get("signal") or ""), details.get("exit_code")
    return NotebookOutcome(Status.FAILED, RunFailure("kernel_died", message, signal=signal, exit_code=code), SEE_KERNEL)


def raised(index: int, ename: str, evalue: str) -> NotebookOutcome:
    """A cell raised an exception."""
    message = beginning(f"{ename}: {evalue}" if evalue else ename, KEPT_ERROR)
    evalue = beginning(evalue, KEPT_ERROR)
    if ename == TIMED_OUT:
        error = RunFailure("step_timeout", evalue, cell_index=index, ename=ename, evalue=evalue)
        return NotebookOutcome(Status.FAILED, error, LESS_TO_DO)
    error = RunFailure("cell_error", message, cell_index=index, ename=ename, evalue=evalue)
    return NotebookOutcome(Status.FAILED, error, SEE_TRACEBACK)


def died(index: int | None, death: KernelDiedError, memory: str) -> NotebookOutcome:
    """The kernel's process is gone; `memory` says how the system's memory stood, where that is why."""
    details = death.details
    starved = bool(memory) and bool(details.get("out_of_memory"))
    error = RunFailure(
        "out_of_memory" if starved else "kernel_died",
        f"{death.message} {memory}" if starved else death.message,
        cell_index=index,
        ename="DeadKernelError",
        evalue=death.message,
        signal=str(details.get("signal") or ""),
        exit_code=details.get("exit_code"),
    )
    return NotebookOutcome(Status.FAILED, error, death.hint)


def note_error(cell: CellNode, outcome: NotebookOutcome) -> None:
    """Let the cell where it ended say why, first of its errors: a KeyboardInterrupt alone says nothing of a timeout."""
    from nbformat import v4

    error = outcome.error
    if error is None:
        return
    errors = [output for output in cell.outputs if output.output_type == "error"]
    text = error.message if error.message.startswith(error.ename) else f"{error.ename}: {error.message}"
    if outcome.hint != SEE_TRACEBACK:
        text += f" {outcome.hint}"
    if not errors:
        evalue = error.evalue if error.cause == "cell_error" else error.message
        cell.outputs.append(v4.new_output("error", ename=error.ename, evalue=evalue, traceback=[text]))
    elif error.cause in ("step_timeout", "run_timeout", "out_of_memory") and errors[0].ename == "KeyboardInterrupt":
        errors[0].update(ename=error.ename, evalue=error.message, traceback=[*errors[0].traceback, text])


def traceback_of(cell: CellNode) -> tuple[str, ...]:
    """The traceback that a cell shows; () where it shows none."""
    for output in cell.outputs:
        if output.output_type == "error":
            return tuple(output.traceback)
    return ()
