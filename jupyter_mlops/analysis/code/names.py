"""May-read-before-write: the names a piece of code may take from outside, and those it may bind or delete there.

A name counts as bound only where every path has bound it. What a function or class takes is read where it may be called,
not where it is defined.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from jupyter_mlops.analysis.code.flow import Flow
from jupyter_mlops.analysis.code.magics import EVERYTHING, nodes_of
from jupyter_mlops.analysis.code.scopes import Called
from jupyter_mlops.analysis.code.walk import Found


@dataclass(frozen=True)
class Reach:
    """What a call of a function may take from the namespace, bind there and change in place. `EVERYTHING` may be in it."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Names:
    """`reads` may come from outside; `writes` may be bound or deleted; `imports` are dotted module names."""

    reads: frozenset[str]
    writes: frozenset[str]
    imports: frozenset[str]
    strings: frozenset[str]
    """Text constants: any of them may be a path."""
    everything: bool = False
    """Whether any name at all may be read (`eval`, `globals()`, an unknown magic, a query whose text is computed)."""
    anything: bool = False
    """Whether any name at all may be bound (the same, and `from x import *`)."""
    settles: frozenset[str] = frozenset()
    """Names that every path binds or deletes: what they held before is gone after the code has ended well."""
    changes: frozenset[str] = frozenset()
    """Names whose values may be changed in place, as far as one can see: for pictures, not for proofs."""
    modules: frozenset[str] = frozenset()
    """Names bound by import statements."""
    functions: Mapping[str, Reach] = field(default_factory=dict)
    """Functions and classes the code defines → what calling them takes, over functions of the code to the end."""
    carries: frozenset[str] = frozenset()
    """Names that functions and generators the code makes may look up later."""
    idle: frozenset[str] = frozenset()
    """Those among them that the code itself cannot call."""


def find_names(tree: ast.Module) -> Names:
    """The names of a cell or module."""
    found = Found()
    flow = Flow(found)
    flow.block(tree.body)
    strings = {node.value for node in nodes_of(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return Names(
        frozenset(found.reads - {EVERYTHING}),
        frozenset(found.writes - {EVERYTHING}),
        frozenset(found.imports),
        frozenset(strings),
        everything=EVERYTHING in found.reads,
        anything=EVERYTHING in found.writes,
        settles=frozenset(flow.settled - {EVERYTHING}) if flow.live else frozenset(found.writes - {EVERYTHING}),
        changes=frozenset(found.changes),
        modules=frozenset(found.modules - {EVERYTHING}),
        functions={name: _reach(name, found.functions) for name in found.functions},
        carries=frozenset(found.escaped.union(*(function.reads for function in found.functions.values()))),
        idle=frozenset(found.functions.keys() - found.released - found.escaped),
    )


def _reach(name: str, functions: Mapping[str, Called]) -> Reach:
    """What a function takes, and those of the same code that it may call."""
    total, waiting, seen = Called(), [name], set()
    while waiting:
        current = waiting.pop()
        function = functions.get(current)
        if function is not None and current not in seen:
            seen.add(current)
            total.add(function)
            waiting += sorted(function.reads)
    return Reach(frozenset(total.reads), frozenset(total.writes), frozenset(total.changes))
