"""What a worker asks of whoever executes the runs that it has claimed."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from jupyter_mlops.domain.run import Run


class Executor(Protocol):
    """Executes claimed runs, wherever it does. What it does not hand on, an execution reads in the index itself."""

    def submit(self, run: Run) -> Future[None]:
        """Begin with `run`; the future is done when how it ended is in the index."""

    def stop(self, run_id: str, word: str) -> bool:
        """Ask an execution to stop, sooner than the index does; asked again it goes on stopping. False where it cannot."""

    def interrupt(self, run_id: str, word: str) -> bool:
        """Stop an execution because its worker ends; one that is stopping already loses its kernel. False where it cannot."""

    def close(self, *, wait: bool) -> None:
        """Take no more, and give back what is held; without `wait`, what still runs is ended."""
