"""A notebook played in a warm and in an ordinary kernel, and what it showed, without what differs between any two runs."""

from __future__ import annotations

import copy
import json
import os
import re
from pathlib import Path
from typing import Any

from jupyter_mlops.execution.engine.execution import ExecutionPlan, NotebookExecution
from jupyter_mlops.execution.notebook.events import ExecutionEvent, KernelStarted, Warned

_NORMAL = (
    (re.compile(r"0x[0-9a-fA-F]{5,}"), "0xADDRESS"),
    (re.compile(r"(sk-(?:container|estimator)-id-)\d+"), r"\1N"),
    (re.compile(r"ipykernel_\d+/\d+"), "CELL"),
    (re.compile(r"\(pid=\d+\)"), "(pid=N)"),
    (re.compile(r"\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"(CPU times|Wall time).*?(?=\\n|$)", re.M), r"\1"),
    (re.compile(r"\d+(\.\d+)? (ns|µs|us|ms|s) ± .*?(?=\\n|$)", re.M), "TIMES"),
)


def notebook_of(cells: list[str], tags: dict[int, list[str]] | None = None) -> Any:
    """Cells that may all raise."""
    from nbformat import from_dict

    return from_dict(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}},
            "cells": [
                {
                    "id": f"c{index}",
                    "cell_type": "code",
                    "source": source,
                    "metadata": {"tags": ["raises-exception", *(tags or {}).get(index, [])]},
                    "outputs": [],
                    "execution_count": None,
                }
                for index, source in enumerate(cells)
            ],
        }
    )


class Kinds:
    """Told of the kernel it ran in."""

    def __init__(self) -> None:
        self.kind = ""
        self.why = ""
        self.pid: int | None = None
        self.warnings: list[str] = []

    def on_event(self, event: ExecutionEvent) -> None:
        match event:
            case KernelStarted(kind, why, pid):
                self.kind, self.why, self.pid = kind, why, pid
            case Warned(message):
                self.warnings.append(message)


def play(
    notebook: Any, folder: Path, pool: Any = None, *, mode: str = "auto", **options: Any
) -> tuple[Any, Any, Kinds]:
    """Execute a copy; the executed notebook, the outcome, and the kernel it had."""
    # Where it is set, ipykernel leaves the descriptors below Python alone.
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    environment = {"MLOPS_TRACKING": "later", **options.pop("environment", {})}
    played = copy.deepcopy(notebook)
    plan = ExecutionPlan(
        load=lambda: played,
        kernel_name=options.pop("kernel_name", "python3"),
        folder=folder,
        environment=environment,
        pool=pool,
        mode=mode,
        notebook=notebook,
        same_python=options.pop("same_python", True),
        **options,
    )
    told = Kinds()
    execution = NotebookExecution(plan, [told])
    outcome = execution.run()
    return execution.notebook, outcome, told


def normal(value: Any, folder: Path) -> Any:
    """Without what differs between any two runs."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False).replace(str(folder), "FOLDER")
    for pattern, replacement in _NORMAL:
        text = pattern.sub(replacement, text)
    return text


def shown(notebook: Any, folder: Path) -> list[tuple[str, Any, str]]:
    """Source, execution count and outputs of each cell."""
    return [
        (cell.source, cell.execution_count, normal(cell.outputs, folder))
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def differences(warm: Any, ordinary: Any, folders: tuple[Path, Path]) -> list[str]:
    """What one shows and the other does not."""
    found = []
    for one, other in zip(shown(warm, folders[0]), shown(ordinary, folders[1]), strict=True):
        if one != other:
            found.append(f"{one[0]}\n  warm     [{one[1]}] {one[2]}\n  ordinary [{other[1]}] {other[2]}")
    states = [_widgets(item, folder) for item, folder in zip((warm, ordinary), folders, strict=True)]
    if states[0] != states[1]:
        only = [sorted(set(one) - set(other)) for one, other in (states, states[::-1])]
        found.append(f"widgets\n  warm     {only[0]}\n  ordinary {only[1]}")
    return found


def _widgets(notebook: Any, folder: Path) -> list[str]:
    """The states of its widgets, whatever their ids."""
    kept = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
    ids = re.compile("|".join(kept.get("state", {})) or "$^")
    return sorted(
        normal(json.loads(ids.sub("ID", json.dumps(state))), folder) for state in kept.get("state", {}).values()
    )
