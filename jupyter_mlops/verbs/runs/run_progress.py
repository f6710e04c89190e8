"""Live progress of a run in a terminal: a line for each cell that ended, and a bar below them."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from jupyter_mlops.verbs.framework import tables

if TYPE_CHECKING:
    from rich.console import Console

    from jupyter_mlops.jobs.running.events import RunEvent

LABEL_WIDTH = 48


class RunProgress:
    """Called with each `RunEvent`. Where output is no terminal, there is no bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> RunProgress:
        if self._console.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task("starting the kernel", total=None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: RunEvent) -> None:
        """Show what happened."""
        if event.kind == "run_started" and event.run is not None:
            self._print(f"[bold]Run {event.run.number}[/] of {escape(event.run.notebook)}")
        elif event.kind == "warning":
            self._print(f"[yellow]Warning:[/] {escape(event.message)} {escape(event.hint)}")
        elif event.kind == "cell_started" and self._bar is not None:
            self._bar.update(
                self._task, total=event.cells_total, completed=event.cells_done, description=escape(_short(event.label))
            )
        elif event.kind == "cell_ended":
            label = f"[bold]{escape(event.step)}[/]" if event.step else f"[dim]{escape(_short(event.label))}[/]"
            width = len(event.step) if event.step else len(_short(event.label))
            state = tables.state(event.state) if event.step or event.state == "failed" else f"[dim]{event.state}[/]"
            gap = " " * (LABEL_WIDTH + 2 - width)
            self._print(f"  {label}{gap}{state:<10} {tables.seconds(event.duration):>9}")
            if self._bar is not None:
                self._bar.update(self._task, total=event.cells_total, completed=event.cells_done)

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def _short(label: str) -> str:
    return label if len(label) <= LABEL_WIDTH else label[: LABEL_WIDTH - 3] + "..."
