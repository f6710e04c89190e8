"""Definitions of types (`annotations`) as trees: their parts, read without pydantic."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=512)
def node_of(definition: str) -> ast.expr:
    """A definition's tree; one that is no Python is of no type known."""
    try:
        return ast.parse(definition.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Name("Any")


def head_of(node: ast.expr) -> str:
    """The type's own name, without what stands in its brackets."""
    if isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Constant) and node.value is None:
        return "None"
    return node.id if isinstance(node, ast.Name) else ""


def members_of(node: ast.expr, *, plain: bool = True) -> list[ast.expr]:
    """The members of a union; a type that is none is its only member. With `plain`, limits are taken off."""
    if isinstance(node, ast.BinOp):
        return [*members_of(node.left, plain=plain), *members_of(node.right, plain=plain)]
    if plain and head_of(node) == "Annotated":
        return members_of(arguments_of(node)[0])
    return [node]


def arguments_of(node: ast.expr) -> list[ast.expr]:
    """What stands in the brackets of a type."""
    if not isinstance(node, ast.Subscript):
        return []
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def enum_members(node: ast.expr) -> list[tuple[str, tuple[Any, ...]]]:
    """The members of an Enum: name, and its value where that is known."""
    pairs = [ast.literal_eval(item) for item in arguments_of(node)[1:]]
    return [(pair[0], pair[1:]) for pair in pairs]
