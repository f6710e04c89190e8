"""Which steps may be executed in another kernel before their turn, and what must have ended before.

Whether such a result holds is decided where the step's turn comes, by its key and conditions as for any reuse. Here it is
decided only what is worth a try and does no harm: a step that acts on the world is never executed where it may come twice.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_mlops.analysis.code.doubts import Doubts
from jupyter_mlops.analysis.code.facts import CodeFacts, cell_facts, source_facts
from jupyter_mlops.analysis.pipeline.cells import StepCell
from jupyter_mlops.analysis.pipeline.links import edges
from jupyter_mlops.analysis.pipeline.span import sets_something

_ACTS = frozenset(
    {
        "open",
        "dump",
        "dumps",
        "write",
        "writelines",
        "save",
        "savetxt",
        "savez",
        "savefig",
        "imsave",
        "mkdir",
        "makedirs",
    }
    | {
        "write_text",
        "write_bytes",
        "unlink",
        "remove",
        "rename",
        "replace_file",
        "rmtree",
        "touch",
        "system",
        "run",
        "Popen",
    }
    | {
        "check_call",
        "check_output",
        "commit",
        "execute",
        "executemany",
        "post",
        "put",
        "delete",
        "send",
        "publish",
        "show",
    }
    | {
        "log_metric",
        "log_param",
        "log_params",
        "log_metrics",
        "log_model",
        "log_artifact",
        "start_run",
        "set_experiment",
    }
)
"""What the last part of a call's name is, where it may act on the world."""
_OURS = frozenset({"matplotlib", "pyplot", "plt", "seaborn", "sns", "mlflow", "input"})
"""Names whose use is bound to the kernel that shows the notebook, or to its run."""


@dataclass(frozen=True)
class Ahead:
    """A step that may run before its turn, and the places of the steps it needs."""

    place: int
    needs: frozenset[int]


def ahead_of_turn(steps: Sequence[StepCell]) -> dict[int, Ahead]:
    """Those of `steps` that may run before their turn, by place. Steps that only import or define are not worth it."""
    planned = edges(steps)
    acting = _acting_functions(steps)
    found: dict[int, Ahead] = {}
    for place, step in enumerate(steps):
        if _may(step, acting):
            needs = frozenset(maker for makers in planned.sources(place).values() for maker in makers)
            found[place] = Ahead(place, needs)
    return found


def _may(step: StepCell, acting: frozenset[str]) -> bool:
    facts = _facts(step.code)
    if facts is None or step.spec.no_cache or step.spec.writes or step.spec.model or sets_something(step):
        return False
    names = facts.names
    if names.everything or names.anything or facts.doubts.certain or names.reads & acting:
        return False
    return bool(names.reads) and not _acts(facts.doubts)


def _acts(doubts: Doubts) -> bool:
    """Whether code may act on the world, or draws from a generator that is everyone's."""
    if doubts.native_write_texts or doubts.native_write_names:
        return True
    used = doubts.chains | doubts.calls
    if {chain.rpartition(".")[2] for chain in used} & _ACTS or {chain.partition(".")[0] for chain in used} & _OURS:
        return True
    return any(word in chain for chain in used for word in (".to_", "random"))


def _acting_functions(steps: Sequence[StepCell]) -> frozenset[str]:
    """Functions and classes of the notebook that act, or use one that does."""
    acting: set[str] = set()
    uses: dict[str, frozenset[str]] = {}
    for step in steps:
        try:
            body = ast.parse(step.code).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                facts = source_facts(ast.unparse(node))
                uses[node.name] = facts.names.reads | facts.names.carries
                if facts.doubts.certain or _acts(facts.doubts):
                    acting.add(node.name)
    while more := {name for name, used in uses.items() if name not in acting and used & acting}:
        acting |= more
    return frozenset(acting)


def _facts(code: str) -> CodeFacts | None:
    try:
        return cell_facts(code)
    except (SyntaxError, ValueError):
        return None
