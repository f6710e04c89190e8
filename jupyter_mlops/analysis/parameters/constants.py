"""The value of an expression that is plain to see: literals, and dates, paths, decimals and the like made of literals.

Only constructors of a fixed list are called, never anything of the notebook.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jupyter_mlops.analysis.parameters.scope import Scope, canonical
from jupyter_mlops.domain.parameter import Member, SecretReference

_CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    "date": date,
    "datetime": datetime,
    "timedelta": timedelta,
    "timezone": timezone,
    "ZoneInfo": ZoneInfo,
    "Path": Path,
    "Decimal": Decimal,
    "float": float,
    "list": list,
    "dict": dict,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "secret": SecretReference,
}
_DEPTH = 50


def evaluate(node: ast.expr, scope: Scope | None = None, *, follow: bool = False, depth: int = _DEPTH) -> Any:
    """The value of an expression; with `follow` also through names that were assigned once.

    Raises `ValueError` where it cannot be told without executing the notebook.
    """
    scope = scope or Scope()
    if not depth:
        raise ValueError("too deep")

    def inner(part: ast.expr) -> Any:
        return evaluate(part, scope, follow=follow, depth=depth - 1)

    try:
        return _value(node, scope, inner, follow)
    except (TypeError, ArithmeticError, LookupError, RecursionError, MemoryError, OSError) as error:
        raise ValueError(str(error)) from error


def _value(node: ast.expr, scope: Scope, inner: Callable[[ast.expr], Any], follow: bool) -> Any:
    if isinstance(node, ast.Constant):
        if node.value is Ellipsis:
            raise ValueError("...")
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        value = inner(node.operand)
        if type(value) not in (int, float, complex, timedelta, Decimal):
            raise ValueError(ast.unparse(node))
        return -value if isinstance(node.op, ast.USub) else +value
    if isinstance(node, ast.List):
        return [inner(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(inner(item) for item in node.elts)
    if isinstance(node, ast.Set):
        return {inner(item) for item in node.elts}
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError(ast.unparse(node))
        return {inner(key): inner(item) for key, item in zip(node.keys, node.values, strict=True) if key is not None}
    if isinstance(node, ast.Name) and follow and node.id in scope.assigned:
        return inner(scope.assigned[node.id])
    return _made(node, scope, inner)


def _made(node: ast.expr, scope: Scope, inner: Callable[[ast.expr], Any]) -> Any:
    """A member of an Enum, a fixed time zone, or what one of the constructors makes."""
    if isinstance(node, (ast.Attribute, ast.Subscript)):
        name = node.value.id if isinstance(node.value, ast.Name) else ""
        member = node.attr if isinstance(node, ast.Attribute) else inner(node.slice)
        if member in scope.enums.get(name, {}):
            return Member(name, member)
        if isinstance(node, ast.Attribute) and node.attr == "utc" and canonical(node.value, scope) == "timezone":
            return timezone.utc
    if isinstance(node, ast.Call):
        make = _CONSTRUCTORS.get(canonical(node.func, scope))
        if make is not None and all(item.arg for item in node.keywords):
            arguments = [inner(item) for item in node.args if not isinstance(item, ast.Starred)]
            if len(arguments) == len(node.args):
                return make(*arguments, **{str(item.arg): inner(item.value) for item in node.keywords})
    raise ValueError(ast.unparse(node))
