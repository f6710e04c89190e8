"""Cells that only compute with plain values: whatever else the process holds, they neither change it nor ask for it."""

from __future__ import annotations

import ast

PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
"""Types, not their subclasses, whose operators and conversions to text do nothing else."""

_NODES = (
    *(ast.Module, ast.Assign, ast.AugAssign, ast.If, ast.Pass, ast.Name, ast.Constant, ast.expr_context),
    *(ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
    *(ast.Tuple, ast.List, ast.Dict, ast.Set, ast.JoinedStr, ast.FormattedValue),
)


def is_inert(tree: ast.Module) -> bool:
    """Whether code binds names to what it computes with operators, and shows nothing.

    Where each name that it reads from outside holds a value of a type in `PLAIN`, it draws no random number, opens no
    file, and calls no code of a library or of the notebook.
    """
    return all(isinstance(node, _NODES) for node in ast.walk(tree))
