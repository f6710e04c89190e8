"""What a step says in the notebook: one quiet line for a reuse, two lines for a warning, nothing for a plain run."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlops.capture.observe.display import NOTE, WARNING
from jupyter_mlops.domain.reason import Reason
from jupyter_mlops.domain.reason_text import sentence
from jupyter_mlops.domain.run import TrackedAt
from jupyter_mlops.domain.status import Status
from jupyter_mlops.domain.step import StepRun

if TYPE_CHECKING:
    from jupyter_mlops.capture.session.session import Session


class KernelListener:
    """The kernel's listener: shows notes, and passes steps on to tracking."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self._step_runs: Any = None

    def tracked_at(self, root: Path) -> TrackedAt:
        """Where the run is to be tracked: the writer is another process, and must not decide by its own environment."""
        from jupyter_mlops.tracking.uri import place_of

        return place_of(root)

    def before(self, step_run: StepRun) -> None:
        """Let what the step logs with mlflow land in its own run. A cell that no one named has none."""
        if step_run.is_named:
            self._tracked().before(step_run)

    def after(self, step_run: StepRun) -> None:
        """End what the step began in mlflow, and see that the writer is awake."""
        from jupyter_mlops.tracking import wake

        assert self.session is not None
        if not step_run.is_named:
            return
        if step_run.status is not Status.REUSED:
            self._tracked().after(step_run)
        session = self.session
        session.saver.do(lambda: wake(session.store.root))

    def reused(self, step_run: StepRun, saved: float, source: StepRun) -> None:
        """One quiet line."""
        text = f"↺ {step_run.step} reused · {_seconds(saved)} saved"
        data = {
            "text/plain": text,
            "text/html": f'<span style="opacity:.6;font-size:.9em">{html.escape(text)}</span>',
            NOTE: {"note": "reused", "step": step_run.step, "step_run": step_run.id, "source": source.id},
        }
        self._publish(data)

    def skipped(self, step: str, why: Reason) -> None:
        """One quiet line."""
        told = sentence(why)
        text = f"⤼ {step} skipped · {told}"
        self._publish(
            {
                "text/plain": text,
                "text/html": f'<span style="opacity:.6;font-size:.9em">{html.escape(text)}</span>',
                NOTE: {"note": "skipped", "step": step, "why": told},
            }
        )

    def recalled(self, names: Mapping[str, str]) -> None:
        """One quiet line."""
        makers = ", ".join(dict.fromkeys(names.values()))
        text = f"↺ {', '.join(names)} taken from {makers}"
        self._publish(
            {
                "text/plain": text,
                "text/html": f'<span style="opacity:.6;font-size:.9em">{html.escape(text)}</span>',
                NOTE: {"note": "recalled", "names": dict(names)},
            }
        )

    def warn(self, message: str, hint: str) -> None:
        """Two lines, marked as ours: a job takes them for its log, and no cell's output has them."""
        text = f"jupyter-mlops: {message}" + (f"\nHint: {hint}" if hint else "")
        self._publish({"text/plain": text, NOTE: {"note": WARNING, "message": message, "hint": hint}})

    def _publish(self, data: dict[str, Any]) -> None:
        assert self.session is not None
        self.session.shell.display_pub.publish(data=data, metadata={})

    def _tracked(self) -> Any:
        if self._step_runs is None:
            from jupyter_mlops.tracking.fluent import StepRuns

            assert self.session is not None
            self._step_runs = StepRuns(self.session.store.root)
        return self._step_runs


def _seconds(value: float) -> str:
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min"
