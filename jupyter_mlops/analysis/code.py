"""What a piece of Python may read, bind, import and touch, found by its AST. Doubt widens the answer, never narrows it."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from jupyter_mlops.analysis.doubts import Doubts, find_doubts
from jupyter_mlops.analysis.names import Names, find_names

CODE_MAGICS = ("time", "timeit", "capture")
"""IPython magics whose text is code that runs in the namespace, and that change nothing else."""


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
    unfolded = _Unfold().visit(ast.parse(ast.unparse(tree)) if _has_magic(source) else tree)
    return CodeFacts(digest, find_names(unfolded), find_doubts(unfolded))


def _has_magic(source: str) -> bool:
    return "get_ipython()" in source


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


class _Unfold(ast.NodeTransformer):
    """Puts the code inside `%%time`, `%time` and their like in place of the call that IPython makes of them."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        inner = _magic_code(node.value)
        if inner is None:
            return self.generic_visit(node)
        try:
            tree = ast.parse(inner)
        except SyntaxError:
            return node
        return [statement for child in tree.body for statement in _listed(self.visit(child))] or [ast.Pass()]


def _listed(found: ast.AST | list[ast.stmt]) -> list[ast.stmt]:
    return found if isinstance(found, list) else [found]  # type: ignore[list-item]


def _magic_code(node: ast.expr) -> str | None:
    """The code of `get_ipython().run_cell_magic('time', ...)` and its like, transformed; None for anything else."""
    match node:
        case ast.Call(
            func=ast.Attribute(
                value=ast.Call(func=ast.Name(id="get_ipython")), attr="run_cell_magic" | "run_line_magic" as kind
            ),
            args=[ast.Constant(value=str(name)), ast.Constant(value=str(line)), *rest],
        ) if name in CODE_MAGICS:
            from IPython.core.inputtransformer2 import TransformerManager

            text = line
            if kind == "run_cell_magic" and rest and isinstance(rest[0], ast.Constant):
                text = str(rest[0].value)
            return TransformerManager().transform_cell(text)
    return None
