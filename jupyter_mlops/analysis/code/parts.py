"""Parts of expressions that say something as they stand: dotted chains, constant texts, arguments by place or name."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TypeGuard

from jupyter_mlops.analysis.code.texts import constant_text
from jupyter_mlops.analysis.code.tree import walk


def texts_of_names(tree: ast.AST) -> dict[str, set[str]]:
    """Names that the code binds to constant texts and nothing else, with these texts."""
    texts: dict[str, set[str]] = {}
    known: dict[str, int] = {}
    bound: dict[str, int] = {}
    for node in walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            text = constant_text(node.value)
            if text is not None:
                name = node.targets[0].id
                texts.setdefault(name, set()).add(text)
                known[name] = known.get(name, 0) + 1
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound[node.id] = bound.get(node.id, 0) + 1
        elif isinstance(node, ast.arg):
            bound[node.arg] = bound.get(node.arg, 0) + 1
    return {name: constants for name, constants in texts.items() if bound.get(name) == known[name]}


def chain_of(node: ast.AST) -> str | None:
    """`a.b.c` as text, or None where the root is no name. A subscript or call in between ends the chain there."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript):
            parts.clear()
            node = node.value
        elif isinstance(node, ast.Name):
            return ".".join([node.id, *reversed(parts)])
        else:
            return None


def argument(node: ast.Call, place: int, keywords: Iterable[str]) -> ast.expr | None:
    """The argument at a place, or given by one of these keywords."""
    if len(node.args) > place:
        return node.args[place]
    wanted = set(keywords)
    return next((item.value for item in node.keywords if item.arg in wanted or item.arg is None), None)


def is_none(node: ast.expr) -> bool:
    """Whether this is the constant None."""
    return isinstance(node, ast.Constant) and node.value is None


def is_path(node: ast.expr | None) -> TypeGuard[ast.expr]:
    """Whether an expression makes a path or a text."""
    if node is None:
        return False
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name in ("Path", "join", "format", "str", "fspath")
    return isinstance(node, (ast.JoinedStr, ast.BinOp)) or constant_text(node) is not None


def none_parameters(arguments: ast.arguments) -> set[str]:
    """The parameters whose default is None."""
    placed = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(reversed(placed), reversed(arguments.defaults), strict=False)]
    pairs += [(name, value) for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
    return {name.arg for name, value in pairs if is_none(value)}


def is_environ(node: ast.AST) -> bool:
    """Whether this is `os.environ`, by whatever name `os` goes."""
    return (isinstance(node, ast.Attribute) and node.attr == "environ") or (
        isinstance(node, ast.Name) and node.id == "environ"
    )


def text_of(node: ast.AST | None) -> str | None:
    """The text a constant is; None for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
