"""Tables that a library fills at their first use, always with the same: they are no state that a step could have set.

Told by rule and content, not by name: the library's source assigns the table only while it is not there, from what depends on
no argument, and computing it once more gives what it holds.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jupyter_mlops.store.files.zipped_modules import source_text

_PLAIN = (str, bytes, int, float, complex, bool, type(None))
_OWNERS = ("cls", "self")
_CHANGES = frozenset(
    str.split("append add update setdefault pop popitem clear extend insert remove discard sort reverse __setitem__")
)
MOST = 3_000_000
"""Characters of source up to which it is looked at."""


def is_filled_once(module: str, owner: object, name: str, now: object) -> bool:
    """Whether `name`, of the module where `owner` is None, else an attribute of `owner`, holds such a table now."""
    if not isinstance(now, (dict, list, set, frozenset, tuple)) or not now or not _is_plain(now):
        return False
    filling = _filling(module, name, owner is not None)
    if filling is None:
        return False
    holder = vars(sys.modules[module])
    try:
        again = eval(filling, dict(holder), dict.fromkeys(_OWNERS, owner))  # noqa: S307 - the library's own expression
    except Exception:  # noqa: BLE001 - the library's code may raise anything
        return False
    return type(again) is type(now) and bool(again == now)


def is_noted_at_access(owner: object, name: str) -> bool:
    """Whether `name` is what a descriptor of a library notes of itself each time an attribute is asked for, such as whose
    attribute that is: whoever gets at it finds it set anew."""
    getter = vars(type(owner)).get("__get__")
    code = getattr(getter, "__code__", None)
    if code is None or not code.co_argcount:
        return False
    function = _function(code.co_filename, code.co_firstlineno, code.co_name)
    for node in [] if function is None else function.body:
        if isinstance(node, ast.Assign) and any(_is_own(target, code.co_varnames[0], name) for target in node.targets):
            return True
        if any(isinstance(item, (ast.Return, ast.Raise)) for item in ast.walk(node)):
            return False
    return False


def _is_own(target: ast.expr, owner: str, name: str) -> bool:
    return isinstance(target, ast.Attribute) and target.attr == name and ast.dump(target.value) == _loaded(owner)


def _loaded(name: str) -> str:
    return ast.dump(ast.Name(name, ast.Load()))


@lru_cache(maxsize=64)
def _function(file: str, line: int, name: str) -> ast.FunctionDef | None:
    try:
        source = source_text(file)
        tree = ast.parse(source if len(source) < MOST else "")
    except (OSError, SyntaxError, ValueError):
        return None
    found = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name)
    return next((node for node in found if node.lineno == line), None)


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    if isinstance(value, (list, set, frozenset, tuple)):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


@lru_cache(maxsize=256)
def _filling(module: str, name: str, is_attribute: bool) -> Any:
    """The one expression that the module fills the table with, compiled; None where there is none, or it is no such table."""
    try:
        source = source_text(getattr(sys.modules.get(module), "__file__", None) or "")
        tree = ast.parse(source if len(source) < MOST else "")
    except (OSError, SyntaxError, ValueError):
        return None
    expressions: dict[str, ast.expr] = {}
    for stored in _stores(tree, name, is_attribute):
        if stored is None:
            return None
        expressions[ast.dump(stored)] = stored
    if len(expressions) != 1:
        return None
    return compile(ast.Expression(next(iter(expressions.values()))), "<table>", "eval")


def _stores(tree: ast.Module, name: str, is_attribute: bool) -> Iterator[ast.expr | None]:
    """What is assigned when functions are called; None for what is more than filling it where it is not there."""
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            local = _local_names(function)
            yield from _stores_in(function, function.body, name, is_attribute, local, guarded=False)


def _stores_in(
    function: ast.AST, body: list[Any], name: str, is_attribute: bool, local: set[str], *, guarded: bool
) -> Iterator[ast.expr | None]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue  # looked at by themselves
        if isinstance(node, ast.If):
            inside = guarded or _asks_whether_missing(node.test, name, is_attribute)
            yield from _stores_in(function, node.body, name, is_attribute, local, guarded=inside)
            yield from _stores_in(function, node.orelse, name, is_attribute, local, guarded=guarded)
            continue
        if isinstance(node, ast.Assign) and any(_is_it(target, name, is_attribute) for target in node.targets):
            used = {item.id for item in ast.walk(node.value) if isinstance(item, ast.Name)}
            yield node.value if guarded and not used & local - set(_OWNERS) else None
        elif _changes(node, name, is_attribute):
            yield None
        for block in ("body", "orelse", "finalbody", "handlers"):
            nested = getattr(node, block, None)
            if isinstance(nested, list):
                yield from _stores_in(function, nested, name, is_attribute, local, guarded=guarded)


def _is_it(node: ast.AST, name: str, is_attribute: bool) -> bool:
    return (
        node.attr == name
        if isinstance(node, ast.Attribute)
        else (not is_attribute and isinstance(node, ast.Name) and node.id == name)
    )


def _asks_whether_missing(test: ast.expr, name: str, is_attribute: bool) -> bool:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _is_it(test.operand, name, is_attribute)
    return (
        isinstance(test, ast.Compare)
        and _is_it(test.left, name, is_attribute)
        and isinstance(test.ops[0], ast.Is)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value is None
    )


def _changes(node: ast.AST, name: str, is_attribute: bool) -> bool:
    """Whether a simple statement, or the head of a compound one, does anything else to it than read it."""
    heads = (
        [node]
        if not hasattr(node, "body")
        else [*filter(None, (getattr(node, "target", None), getattr(node, "iter", None)))]
    )
    for part in (item for head in heads for item in ast.walk(head)):
        if isinstance(part, (ast.Attribute, ast.Name)) and _is_it(part, name, is_attribute):
            if not isinstance(part.ctx, ast.Load):
                return True
        elif isinstance(part, ast.Subscript) and not isinstance(part.ctx, ast.Load):
            if _is_it(part.value, name, is_attribute):
                return True
        elif isinstance(part, ast.Call) and _is_changed_by(part.func, name, is_attribute):
            return True
    return False


def _is_changed_by(method: ast.expr, name: str, is_attribute: bool) -> bool:
    return isinstance(method, ast.Attribute) and method.attr in _CHANGES and _is_it(method.value, name, is_attribute)


def _local_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = function.args
    given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    given += [item for item in (arguments.vararg, arguments.kwarg) if item is not None]
    bound = {
        item.id for item in ast.walk(function) if isinstance(item, ast.Name) and not isinstance(item.ctx, ast.Load)
    }
    declared = {name for item in ast.walk(function) if isinstance(item, ast.Global) for name in item.names}
    return {item.arg for item in given} | bound - declared
