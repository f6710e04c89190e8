"""What names hold after a cell has run, where the cell says so plainly: `rate = 0.1`, `start: date = date(2026, 1, 1)`.

Nothing is executed. A name counts only where nothing after its assignment may bind or change it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jupyter_mlops.analysis.code.bounds import check_depth, read
from jupyter_mlops.analysis.code.inert import PLAIN, is_inert
from jupyter_mlops.analysis.code.magics import EVERYTHING
from jupyter_mlops.analysis.code.names import Names, Reach, find_names
from jupyter_mlops.analysis.code.unwarned import unwarned
from jupyter_mlops.analysis.parameters.constants import evaluate
from jupyter_mlops.analysis.parameters.declared import bindings
from jupyter_mlops.analysis.parameters.scope import Scope, bind

_FROZEN = (type(None), bool, int, float, complex, str, bytes, date, datetime, timedelta, timezone, ZoneInfo, Decimal)
_FROZEN_TYPES = frozenset({*_FROZEN, type(Path())})
_CONTAINERS = (list, tuple, set, frozenset)
_HIDDEN = frozenset({"__annotations__"})
_IDLE = (ast.Import, ast.ImportFrom, ast.Pass)
"""Statements that call no function of the notebook."""


@dataclass(frozen=True)
class _PlainStatement:
    node: ast.stmt
    assigned: tuple[tuple[str, ast.expr], ...]
    """Names and expressions where the statement does nothing but assign them."""

    @property
    def calls(self) -> bool:
        """Whether the annotation of what it assigns calls anything."""
        annotation = getattr(self.node, "annotation", None)
        return annotation is not None and any(isinstance(part, ast.Call) for part in ast.walk(annotation))

    @property
    def is_idle(self) -> bool:
        """Whether it runs no code but its own."""
        return isinstance(self.node, _IDLE) or (
            isinstance(self.node, ast.Expr) and isinstance(self.node.value, ast.Constant)
        )


def plain_values(code: str, scope: Callable[[], Scope], functions: Callable[[], Reach]) -> dict[str, Any]:
    """Name → value, of those that are plain to see once `code` has run to its end.

    `scope` gives what names stand for above the cell, `functions` what functions of the notebook may take and bind when
    they are called; both are asked only where it matters.
    """
    statements = _statements(code)
    if not any(statement.assigned for statement in statements):
        return {}
    walk = _Walk(scope, functions)
    for statement in statements:
        walk.take(statement)
    return walk.values


def is_frozen(value: Any) -> bool:
    """Whether no one can change a value in place."""
    if type(value) in (tuple, frozenset):
        return all(map(is_frozen, value))
    return type(value) in _FROZEN_TYPES


@lru_cache(maxsize=2048)
def _statements(code: str) -> tuple[_PlainStatement, ...]:
    """The statements of a cell; none where it is no plain Python."""
    try:
        with unwarned():
            tree = read(lambda: ast.parse(code))
            check_depth(tree)
    except (SyntaxError, ValueError):
        return ()
    return tuple(_PlainStatement(node, _assigned(node)) for node in tree.body)


def _assigned(node: ast.stmt) -> tuple[tuple[str, ast.expr], ...]:
    found = [(name, value) for name, _, value in bindings(node) if value is not None]
    if not found:
        return ()
    names = {name for name, _ in found}
    return tuple(found) if len(names) == len(found) and names == _names_of(node).writes - _HIDDEN else ()


@lru_cache(maxsize=4096)
def _names_of(node: ast.stmt) -> Names:
    return find_names(ast.Module([node], []))


class _Walk:
    def __init__(self, scope: Callable[[], Scope], functions: Callable[[], Reach]) -> None:
        self.values: dict[str, Any] = {}
        self._given = scope
        self._functions = functions
        self._scope: Scope | None = None
        self._passed: list[ast.stmt] = []

    def take(self, statement: _PlainStatement) -> None:
        """The next statement has run."""
        found = self._evaluated(statement)
        if found is None or statement.calls:
            self._forget(statement)
        self.values |= found or {}
        self._passed.append(statement.node)

    def _evaluated(self, statement: _PlainStatement) -> dict[str, Any] | None:
        """The values it assigns; None where it does more, or they cannot be told."""
        if not statement.assigned:
            return None
        values = {}
        for name, node in statement.assigned:
            here = Scope() if _is_literal(node) else self._scope_here()
            try:
                value = evaluate(node, here)
            except ValueError:
                return None
            if here.stars or not _is_told(value):
                return None
            values[name] = value
        shared = len(statement.assigned) > len({id(node) for _, node in statement.assigned})
        return None if shared and not all(map(is_frozen, values.values())) else values

    def _scope_here(self) -> Scope:
        if self._scope is None:
            self._scope = self._given()
        for node in self._passed:
            bind(node, self._scope)
        self._passed.clear()
        return self._scope

    def _only_computes(self, statement: _PlainStatement, names: Names) -> bool:
        """Whether a statement only computes with plain values, so that no function of the notebook is called."""
        return is_inert(ast.Module([statement.node], [])) and all(
            type(self.values.get(name, self)) in PLAIN for name in names.reads
        )

    def _forget(self, statement: _PlainStatement) -> None:
        """Drop what a statement may have bound or changed, itself or through functions that it calls."""
        names = _names_of(statement.node)
        if names.everything or names.anything:
            self.values.clear()
            return
        touched = names.writes | names.changes
        held = names.reads | names.carries
        if self.values and not statement.is_idle and not self._only_computes(statement, names):
            reach = self._functions()
            if EVERYTHING in reach.writes | reach.changes:
                self.values.clear()
                return
            touched |= reach.writes | reach.changes
            held |= reach.reads
        for name in list(self.values):
            if name in touched or (name in held and not is_frozen(self.values[name])):
                del self.values[name]


def bind_all(codes: Iterable[str], scope: Scope) -> None:
    """Take in what cells of these codes bind."""
    for code in codes:
        for statement in _statements(code):
            bind(statement.node, scope)


def reach_of(codes: Iterable[Mapping[str, Reach]]) -> Reach:
    """What all the functions of a notebook's cells may do together."""
    reads: set[str] = set()
    writes: set[str] = set()
    changes: set[str] = set()
    for functions in codes:
        for function in functions.values():
            reads |= function.reads
            writes |= function.writes
            changes |= function.changes
    return Reach(frozenset(reads), frozenset(writes), frozenset(changes))


def _is_literal(node: ast.expr) -> bool:
    """Whether an expression holds no name, so that it means the same everywhere."""
    return not any(isinstance(part, (ast.Name, ast.Attribute)) for part in ast.walk(node))


def _is_told(value: Any) -> bool:
    """Whether a value is what the notebook's own would be: a member of an Enum or a secret only stands for one."""
    if type(value) in _CONTAINERS:
        return all(map(_is_told, value))
    if type(value) is dict:
        return all(_is_told(key) and _is_told(item) for key, item in value.items())
    return type(value) in _FROZEN_TYPES
