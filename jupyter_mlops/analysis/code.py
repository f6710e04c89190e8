"""What a piece of Python may read, bind, import and touch, found by its AST. Doubt widens the answer, never narrows it."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from jupyter_mlops.analysis.doubts import Doubts, find_doubts
from jupyter_mlops.analysis.names import Names, find_names


@dataclass(frozen=True)
class CodeFacts:
    """`digest` is equal for equal meaning (comments and layout do not count); `names` and `doubts` as their types say."""

    digest: str
    names: Names
    doubts: Doubts


@lru_cache(maxsize=512)
def cell_facts(code: str) -> CodeFacts:
    """The facts of a cell's code (without `%%step`), through IPython's own transformer. Raises `SyntaxError`."""
    from IPython.core.inputtransformer2 import TransformerManager

    return source_facts(TransformerManager().transform_cell(code))


@lru_cache(maxsize=512)
def source_facts(source: str) -> CodeFacts:
    """The facts of plain Python. Raises `SyntaxError`."""
    tree = compile(source, "<step>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(tree, ast.Module)
    digest = hashlib.sha256(_canonical(tree).encode("utf-8", "surrogatepass")).hexdigest()
    return CodeFacts(digest, find_names(tree), find_doubts(tree))


def _canonical(node: object) -> str:
    """A text of the tree that is the same in every Python version: no positions, no empty fields."""
    if isinstance(node, ast.AST):
        parts = [
            f"{name}={_canonical(value)}"
            for name, value in ast.iter_fields(node)
            if value is not None and value != [] and name not in ("kind", "type_comment", "type_ignores")
        ]
        return f"{type(node).__name__}({','.join(parts)})"
    if isinstance(node, list):
        return f"[{','.join(_canonical(item) for item in node)}]"
    return f"{type(node).__name__}:{node!r}"
