"""Python's syntax trees, walked fast."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_SKIPPED = frozenset({"ctx", "op", "ops", "kind", "type_comment", "type_ignores", "lineno", "conversion"})
_UNSAID = frozenset({"kind", "type_comment", "type_ignores"})
_fields: dict[type, tuple[str, ...]] = {}
_said: dict[type, tuple[str, ...]] = {}


def children(node: ast.AST) -> list[ast.AST]:
    """The child nodes in order, without those that say only how a node is used (`Load`, `Add`)."""
    kind = type(node)
    fields = _fields.get(kind)
    if fields is None:
        fields = _fields[kind] = tuple(name for name in kind._fields if name not in _SKIPPED)
    nodes: list[ast.AST] = []
    for name in fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            nodes += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            nodes.append(value)
    return nodes


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, in no promised order."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += children(node)


def canonical(tree: ast.AST) -> str:
    """A text of the tree that is the same in every Python version: no positions, no empty fields."""
    parts: list[str] = []
    _write(tree, parts)
    return "".join(parts)


def _write(node: object, parts: list[str]) -> None:
    kind = node.__class__
    if kind is str:
        parts.append(f"str:{node!r}")
    elif kind is list:
        before = "["
        for item in node:  # type: ignore[attr-defined]
            parts.append(before)
            before = ","
            _write(item, parts)
        parts.append("]" if before == "," else "[]")
    elif isinstance(node, ast.AST):
        fields = _said.get(kind)
        if fields is None:
            fields = _said[kind] = tuple(name for name in node._fields if name not in _UNSAID)
        if not fields:
            parts.append(f"{kind.__name__}()")
            return
        before = f"{kind.__name__}("
        for name in fields:
            value = getattr(node, name, None)
            if value is not None and value != []:
                parts.append(f"{before}{name}=")
                before = ","
                _write(value, parts)
        parts.append(")" if before == "," else f"{before})")
    else:
        parts.append(f"{kind.__name__}:{node!r}")
