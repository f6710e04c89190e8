"""`graph`: the pipeline as boxes and links: each step with its state, and which names go from one to another. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.status import StepState
from jupyter_mlops.operations.steps.dependencies import Use, read_pipeline
from jupyter_mlops.operations.steps.in_view import InView
from jupyter_mlops.operations.steps.status import pipeline_status

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store


@dataclass(frozen=True)
class Node:
    """A step as it is drawn. `kind` is what its author calls it, such as "train"; "" where nothing is said. `duration`
    is how long it took to compute."""

    name: str
    cell_index: int
    named: bool
    kind: str
    state: StepState
    reason: str = ""
    duration: float | None = None
    version: int | None = None


@dataclass(frozen=True)
class Link:
    """That `target` reads `names` which `source` makes. `note` says where code and record disagree."""

    source: str
    target: str
    names: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Graph:
    """The picture's content. `hidden` counts unnamed cells left out because nothing leads to or from them."""

    notebook: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    hidden: int = 0


def pipeline_graph(
    store: Store | None,
    notebook: str,
    cells: Sequence[Cell],
    *,
    everything: bool = False,
    view: InView | None = None,
) -> Graph:
    """The graph of a notebook's steps; unnamed ones only where none is named, something leads to or from them, or
    `everything` is asked for. Their states are those of `pipeline_status`."""
    pipeline = read_pipeline(store, notebook, cells)
    states = {step.name: step for step in pipeline_status(store, notebook, cells, everything=True, view=view).steps}
    by_edge: dict[tuple[str, str], dict[str, str]] = {}
    names = {step.spec.name for step in pipeline.steps}
    for use in _direct(pipeline.uses):
        if use.source in names and use.source != use.target:
            by_edge.setdefault((use.source, use.target), {})[use.name] = use.note
    linked = {name for edge in by_edge for name in edge}
    shown = [step for step in pipeline.steps if everything or step.spec.named or step.spec.name in linked]
    nodes = []
    for step in shown:
        status, run = states.get(step.spec.name), pipeline.runs.get(step.spec.name)
        nodes.append(
            Node(
                step.spec.name,
                step.cell.index,
                step.spec.named,
                step.spec.kind,
                status.state if status else StepState.NEVER_RUN if run is None else StepState.FRESH,
                status.reason if status else "",
                run.duration if run else status.duration if status else None,
                status.version if status else run.version if run else None,
            )
        )
    links = tuple(Link(source, target, tuple(uses), _note(uses)) for (source, target), uses in by_edge.items())
    return Graph(notebook, tuple(nodes), links, len(pipeline.steps) - len(shown))


def _direct(uses: Sequence[Use]) -> list[Use]:
    """The uses without those of a value that another step had taken up and changed in between."""
    known = {(use.name, use.source, use.target) for use in uses}
    makers: dict[tuple[str, str], list[str]] = {}
    for use in uses:
        makers.setdefault((use.name, use.target), []).append(use.source)
    return [
        use for use in uses if not any((use.name, use.source, other) in known for other in makers[use.name, use.target])
    ]


def _note(uses: dict[str, str]) -> str:
    """What is to be said of a link: a sentence for each name of which code and record disagree."""
    return "; ".join(f"{name}: {note}" for name, note in uses.items() if note)
