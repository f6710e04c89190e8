"""The static plan of a notebook: who may read what from whom, and what is still needed after a step. Nothing is run.

Functions of the notebook are followed to what they look up when called, over all cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.analysis.code.magics import EVERYTHING
from jupyter_mlops.analysis.code.names import Names, Reach
from jupyter_mlops.analysis.pipeline.cells import StepCell

READS = "reads"
CHANGES = "changes"
IMPORTS = "imports"
_NOTHING = Names(frozenset(), frozenset(), frozenset(), frozenset())
_LIMIT = 200
"""Of a step that may read anything, edges are shown for this many names."""


@dataclass(frozen=True)
class Edge:
    """Step `target` may read `name` as step `source` bound it ("reads"; "imports" for a module) or changed it ("changes").

    Steps are given by their place in the plan.
    """

    source: int
    target: int
    name: str
    kind: str = READS


@dataclass(frozen=True)
class PlannedStep:
    """One step: what it may read, over the functions it may call, bind and change; None in `names` for no Python."""

    name: str
    names: Names | None
    reads: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    everything: bool = False


@dataclass(frozen=True)
class StepGraph:
    """The steps in notebook order and the edges between them."""

    steps: tuple[PlannedStep, ...]
    edges: tuple[Edge, ...] = field(default=())

    @cached_property
    def _above(self) -> list[int]:
        """For each step, the set of steps above it that it depends on, as bits."""
        masks = [0] * len(self.steps)
        direct: list[set[int]] = [set() for _ in self.steps]
        for edge in self.edges:
            direct[edge.target].add(edge.source)
        for place, sources in enumerate(direct):
            for source in sources:
                masks[place] |= masks[source] | 1 << source
        return masks

    def upstream(self, place: int) -> frozenset[int]:
        """The steps that the step at `place` depends on, over others too."""
        return frozenset(source for source in range(place) if self._above[place] >> source & 1)

    def sources(self, place: int) -> dict[str, tuple[int, ...]]:
        """Name read → the steps that may have bound or changed it last, for the step at `place`."""
        found: dict[str, set[int]] = {}
        for edge in self.edges:
            if edge.target == place:
                found.setdefault(edge.name, set()).add(edge.source)
        return {name: tuple(sorted(sources)) for name, sources in sorted(found.items())}


def edges(steps: Sequence[StepCell]) -> StepGraph:
    """The plan of a notebook's steps."""
    walk = _Notebook()
    for place, step in enumerate(steps):
        walk.step(place, step.spec.name, names_of_step(step))
    return StepGraph(tuple(walk.steps), tuple(walk.edges))


def names_of_step(step: StepCell) -> Names | None:
    """The names of a step's code; None where it is no Python."""
    try:
        return cell_facts(step.code).names
    except (SyntaxError, ValueError):
        return None


def later_reads(steps: Sequence[StepCell], place: int) -> frozenset[str]:
    """Names that steps after the one at `place` may still read, in their order, before every path binds them anew.

    Followed through functions of the whole notebook and through values that may hold them. With `EVERYTHING` among them
    it may be any name.
    """
    carried = _Carried()
    reads: set[str] = set()
    settled: set[str] = set()
    for index, step in enumerate(steps):
        names = names_of_step(step) or _NOTHING
        if index > place:
            if names.everything:
                return frozenset({EVERYTHING})
            reads |= carried.reach(names) - settled
            settled |= names.settles
        carried.step(names)
    return frozenset({EVERYTHING}) if EVERYTHING in reads else frozenset(reads)


class _Carried:
    """Which names the functions inside each name's value may look up: a guess upwards, step by step."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}
        self._wild = False

    def reach(self, names: Names) -> set[str]:
        """What a step may read, over all functions it may get hold of."""
        reached: set[str] = set()
        waiting = list(names.reads)
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += self._names.get(name, (EVERYTHING,) if self._wild else ())
        return reached

    def step(self, names: Names) -> None:
        """A step ran: what it bound or changed may hold functions of its own, or any that it could reach."""
        pool: set[str] = set(names.carries)
        for name in self.reach(names):
            pool |= self._names.get(name, frozenset())
        if names.everything:
            pool.add(EVERYTHING)
            self._wild = self._wild or names.anything
        for name in names.writes | names.changes:
            kept = frozenset() if name in names.settles else self._names.get(name, frozenset())
            self._names[name] = kept | pool


class _Notebook:
    """Walks the steps from the top, knowing who bound and changed each name last."""

    def __init__(self) -> None:
        self.steps: list[PlannedStep] = []
        self.edges: list[Edge] = []
        self._binders: dict[str, list[int]] = {}
        self._changers: dict[str, list[int]] = {}
        self._functions: dict[str, Reach] = {}
        self._modules: set[str] = set()
        self._unknown: list[int] = []
        """Steps that may have bound anything."""

    def step(self, place: int, name: str, names: Names | None) -> None:
        """Take the next step."""
        found = names or _NOTHING
        reads, binds, changes = _followed(found, self._functions)
        self.steps.append(
            PlannedStep(name, names, frozenset(reads), frozenset(binds), frozenset(changes), found.everything)
        )
        asked = sorted(self._binders)[:_LIMIT] if found.everything else sorted(reads)
        for read in asked:
            self._edges_of(place, read)
        self._take(place, found, binds, changes)

    def _edges_of(self, place: int, name: str) -> None:
        kind = IMPORTS if name in self._modules else READS
        binders = self._binders.get(name, ())
        self.edges += [Edge(source, place, name, kind) for source in binders]
        self.edges += [Edge(source, place, name, CHANGES) for source in self._changers.get(name, ())]
        if not binders:
            self.edges += [Edge(source, place, name, READS) for source in self._unknown]

    def _take(self, place: int, names: Names, binds: set[str], changes: set[str]) -> None:
        for name in binds:
            if name in names.settles:
                self._binders[name], self._changers[name] = [place], []
                self._functions.pop(name, None)
                self._modules.discard(name)
            else:
                self._binders.setdefault(name, []).append(place)
        for name in changes - names.settles:
            if name not in self._modules and name in self._binders and self._binders[name] != [place]:
                self._changers.setdefault(name, []).append(place)
        self._modules |= names.modules
        for name, function in names.functions.items():
            before = self._functions.get(name, Reach())
            self._functions[name] = Reach(
                before.reads | function.reads, before.writes | function.writes, before.changes | function.changes
            )
        if names.anything:
            self._unknown.append(place)


def _followed(names: Names, functions: Mapping[str, Reach]) -> tuple[set[str], set[str], set[str]]:
    """What code reads, binds and changes, with what the notebook's functions it reads do when called."""
    reads, binds, changes = set(names.reads), set(names.writes), set(names.changes)
    waiting = list(reads)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        function = functions.get(name)
        if name in seen or function is None:
            continue
        seen.add(name)
        waiting += function.reads
        reads |= function.reads
        binds |= function.writes
        changes |= function.changes
    return reads - {EVERYTHING}, binds - {EVERYTHING}, changes
