"""What papermill shows while a notebook is executed: its progress bar, `--log-output`, `--stdout-file`, `--stderr-file`."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Any, TextIO

from jupyter_mlops.execution.notebook.events import (
    CellEnded,
    CellPassed,
    CellStarted,
    ExecutionEvent,
    ExecutionStarted,
    OutputWritten,
)
from jupyter_mlops.execution.notebook.nodes import CellNode, NotebookNode, OutputNode

logger = logging.getLogger("papermill")
DESCRIPTION = "papermill_description="


def _in_notebook() -> bool:
    """Whether this process is a notebook's kernel: `tqdm.auto` takes it for one as soon as ipykernel is imported."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


class PapermillView:
    """A listener of an execution."""

    def __init__(
        self,
        progress_bar: bool | dict[str, Any],
        log_output: bool,
        stdout_file: TextIO | None,
        stderr_file: TextIO | None,
    ) -> None:
        self._options = progress_bar
        self._log_output = log_output
        self._files = {"stdout": stdout_file, "stderr": stderr_file}
        self._bar: Any = None
        self._cells: list[CellNode] = []

    def on_event(self, event: ExecutionEvent) -> None:
        """Show the event as papermill would; warnings are logged elsewhere."""
        match event:
            case ExecutionStarted(notebook):
                self._started(notebook)
            case CellPassed():
                self._advance()
            case CellStarted(index):
                self._cell_started(index)
            case OutputWritten(output):
                self._output(output)
            case CellEnded(index, failed):
                if self._log_output:
                    logger.info(f"Ending Cell {index + 1:-<43}")
                if not failed:
                    self._advance()

    def _started(self, notebook: NotebookNode) -> None:
        self._cells = notebook.cells
        if self._options:
            tqdm = importlib.import_module("tqdm.auto" if _in_notebook() else "tqdm").tqdm
            options = {"unit": "cell", "desc": "Executing"}
            options.update(self._options if isinstance(self._options, dict) else {})
            self._bar = tqdm(total=len(notebook.cells), **options)

    def _cell_started(self, index: int) -> None:
        if self._log_output:
            logger.info(f"Executing Cell {index + 1:-<40}")
        source = self._cells[index].source
        if self._bar is not None and DESCRIPTION in source:
            words = source.split(DESCRIPTION)[1].split()
            self._bar.set_description(f"Executing {words[0] if words else ''}")

    def _output(self, output: OutputNode) -> None:
        if output.output_type == "stream":
            if self._log_output:
                logger.log(logging.INFO if output.name == "stdout" else logging.WARNING, "%s", output.text)
            file = self._files.get(output.name)
            if file is not None:
                file.write(output.text)
                file.flush()
        elif self._log_output and "text/plain" in output.get("data", {}):
            logger.info("%s", "".join(output.data["text/plain"]))

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _advance(self) -> None:
        if self._bar is not None:
            self._bar.update(1)
