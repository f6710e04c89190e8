"""A kernel for verbs: cells are executed by `exec`, and what was asked of it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.operations.runs.live import Ended


class FakeKernel:
    """Implements `operations.runs.live.Live`; steps named in `reused` count as reused."""

    def __init__(self, reused: Iterable[str] = (), **namespace: Any) -> None:
        self.capture_all = False
        self.run_id: str | None = None
        self.namespace: dict[str, Any] = namespace
        self.cells: list[str] = []
        self.executed: list[str] = []
        self.forced: list[str] = []
        self._reused = set(reused)

    def captured(self) -> Mapping[str, str]:
        return dict.fromkeys(self.namespace, "load")

    def names(self) -> Iterable[str]:
        return set(self.namespace)

    def next_cell(self, code: str) -> None:
        self.cells.append(code)

    def bind(self, values: Mapping[str, Any]) -> None:
        self.namespace.update(values)

    def execute(self, step: StepCell, *, force: bool) -> Ended:
        self.executed.append(step.spec.name)
        if force:
            self.forced.append(step.spec.name)
        try:
            exec(step.code, self.namespace)
        except Exception as error:  # noqa: BLE001 - the cell's own
            return Ended("failed", 0.1, f"{type(error).__name__}: {error}")
        return Ended("reused" if step.spec.name in self._reused and not force else "executed", 0.1)
