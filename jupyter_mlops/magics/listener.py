"""What a step says in the notebook: one quiet line for a reuse, two lines for a warning, nothing for a plain run."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_mlops.capture.observe.display import NOTE, WARNING
from jupyter_mlops.domain.reason_text import sentence
from jupyter_mlops.domain.status import Status

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_mlops.capture.session.events import StepEvent
    from jupyter_mlops.capture.session.run import RunHandle
    from jupyter_mlops.domain.step import StepRun


class KernelListener:
    """The kernel's listener: shows notes, and passes steps on to tracking."""

    def __init__(self, shell: InteractiveShell, run: RunHandle) -> None:
        self._shell = shell
        self._run = run
        self._step_runs: Any = None

    def on_event(self, event: StepEvent) -> None:
        """Show what the author should see; tell tracking of steps that someone named."""
        from jupyter_mlops.capture.session.events import (
            AuthorWarned,
            StepEnded,
            StepReused,
            StepSkipped,
            StepStarted,
            ValuesRecalled,
        )

        match event:
            case StepStarted(step_run):
                self._started(step_run)
            case StepEnded(step_run):
                self._ended(step_run)
            case StepReused(step_run, saved, source):
                note = {"note": "reused", "step": step_run.step, "step_run": step_run.id, "source": source.id}
                self._note(f"↺ {step_run.step} reused · {_seconds(saved)} saved", note)
            case StepSkipped(step, why):
                told = sentence(why)
                self._note(f"⤼ {step} skipped · {told}", {"note": "skipped", "step": step, "why": told})
            case ValuesRecalled(names):
                makers = ", ".join(dict.fromkeys(names.values()))
                self._note(f"↺ {', '.join(names)} taken from {makers}", {"note": "recalled", "names": dict(names)})
            case AuthorWarned(message, hint):
                self._warn(message, hint)

    def _started(self, step_run: StepRun) -> None:
        """Let what the step logs with mlflow land in its own run. A cell that no one named has none."""
        if step_run.is_named:
            self._tracked().before(step_run)

    def _ended(self, step_run: StepRun) -> None:
        """End what the step began in mlflow, and see that the writer is awake."""
        from jupyter_mlops.tracking import wake

        if not step_run.is_named:
            return
        if step_run.status is not Status.REUSED:
            self._tracked().after(step_run)
        store = self._run.store
        self._run.saver.do(lambda: wake(store.root))

    def _note(self, text: str, note: Mapping[str, Any]) -> None:
        """One quiet line."""
        quiet = f'<span style="opacity:.6;font-size:.9em">{html.escape(text)}</span>'
        self._publish({"text/plain": text, "text/html": quiet, NOTE: note})

    def _warn(self, message: str, hint: str) -> None:
        """Two lines, marked as ours: a job takes them for its log, and no cell's output has them."""
        text = f"jupyter-mlops: {message}" + (f"\nHint: {hint}" if hint else "")
        self._publish({"text/plain": text, NOTE: {"note": WARNING, "message": message, "hint": hint}})

    def _publish(self, data: dict[str, Any]) -> None:
        self._shell.display_pub.publish(data=data, metadata={})

    def _tracked(self) -> Any:
        if self._step_runs is None:
            from jupyter_mlops.tracking.fluent import StepRuns

            self._step_runs = StepRuns(self._run.store.root)
        return self._step_runs


def _seconds(value: float) -> str:
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min"
