"""What the names of a notebook's first cells stand for, as far as types need it: imports, aliases, Enums.

Read from the source; a name that is bound more than once is what it was bound to last.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

_MODULES = (
    *("typing", "typing_extensions", "collections.abc", "builtins", "datetime", "pathlib", "decimal", "enum"),
    *("pydantic", "pydantic.types", "annotated_types", "zoneinfo", "jupyter_mlops.secrets"),
)
"""Modules whose names are known here."""
_ALIASES = {
    "List": "list",
    "Sequence": "list",
    "MutableSequence": "list",
    "Iterable": "list",
    "Collection": "list",
    "Dict": "dict",
    "Mapping": "dict",
    "MutableMapping": "dict",
    "Tuple": "tuple",
    "Set": "set",
    "AbstractSet": "set",
    "FrozenSet": "frozenset",
    "Text": "str",
    "NoneType": "None",
}
_ENUMS = ("Enum", "IntEnum", "StrEnum", "ReprEnum", "Flag", "IntFlag")


@dataclass
class Scope:
    """Names → what they stand for."""

    imports: dict[str, str] = field(default_factory=dict)
    """Name → what was imported under it, dotted."""
    assigned: dict[str, ast.expr] = field(default_factory=dict)
    """Name → the expression assigned to it."""
    enums: dict[str, dict[str, ast.expr | None]] = field(default_factory=dict)
    """Enum → member → the expression of its value."""
    others: set[str] = field(default_factory=set)
    """Names of classes, functions and other things that are nothing of the above."""
    stars: bool = False
    """Whether anything was imported by `from x import *`."""

    def copy(self) -> Scope:
        """The same, to be continued apart from this one."""
        return Scope(dict(self.imports), dict(self.assigned), dict(self.enums), set(self.others), self.stars)

    def forget(self, name: str) -> None:
        """The name is bound anew."""
        self.imports.pop(name, None)
        self.assigned.pop(name, None)
        self.enums.pop(name, None)
        self.others.discard(name)


def scope_of(trees: Iterable[ast.Module]) -> Scope:
    """What the cells bind, taken in order."""
    scope = Scope()
    for tree in trees:
        for statement in tree.body:
            bind(statement, scope)
    return scope


def canonical(node: ast.expr, scope: Scope) -> str:
    """The one name that a name of a known module has here ("Dict" and "typing.Dict" are "dict"); "" for others."""
    dotted = dotted_name(node, scope)
    module, _, name = dotted.rpartition(".")
    if not name or (module and module not in _MODULES):
        return ""
    return _ALIASES.get(name, name)


def dotted_name(node: ast.expr, scope: Scope) -> str:
    """What a name was imported as, dotted; "" for what is no such name."""
    if isinstance(node, ast.Name):
        if node.id in scope.others or node.id in scope.enums or node.id in scope.assigned:
            return ""
        return scope.imports.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        before = dotted_name(node.value, scope)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _statements(statement: ast.stmt) -> list[ast.stmt]:
    if isinstance(statement, (ast.If, ast.Try, ast.With)):
        return [*statement.body, *getattr(statement, "orelse", [])]
    return []


def bind(statement: ast.stmt, scope: Scope) -> None:
    """Take in what a statement of a cell binds, and those in its `if`, `try` and `with` too."""
    for inner in _statements(statement):
        bind(inner, scope)
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        _bind_imports(statement, scope)
    elif isinstance(statement, ast.ClassDef):
        scope.forget(statement.name)
        if _is_enum(statement, scope):
            scope.enums[statement.name] = _members(statement)
        else:
            scope.others.add(statement.name)
    elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        scope.forget(statement.name)
        scope.others.add(statement.name)
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        _bind_value(statement.targets[0], statement.value, scope)
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        _bind_value(statement.target, statement.value, scope)
    elif type(statement).__name__ == "TypeAlias":
        _bind_value(statement.name, statement.value, scope)  # type: ignore[attr-defined]


def _bind_imports(statement: ast.Import | ast.ImportFrom, scope: Scope) -> None:
    for alias in statement.names:
        if alias.name == "*":
            scope.stars = True
            continue
        name = alias.asname or alias.name.partition(".")[0]
        scope.forget(name)
        if isinstance(statement, ast.ImportFrom):
            scope.imports[name] = f"{'.' * statement.level}{statement.module or ''}.{alias.name}"
        else:
            scope.imports[name] = alias.name if alias.asname else name


def _bind_value(target: ast.expr, value: ast.expr, scope: Scope) -> None:
    if not isinstance(target, ast.Name):
        return
    members = _functional(value, scope)
    scope.forget(target.id)
    if members is not None:
        scope.enums[target.id] = members
    else:
        scope.assigned[target.id] = value


def _is_enum(node: ast.ClassDef, scope: Scope) -> bool:
    return any(canonical(base, scope) in _ENUMS or getattr(base, "id", None) in scope.enums for base in node.bases)


def _members(node: ast.ClassDef) -> dict[str, ast.expr | None]:
    found: dict[str, ast.expr | None] = {}
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name) and not target.id.startswith("_"):
                    found[target.id] = statement.value
    return found


def _functional(value: ast.expr, scope: Scope) -> dict[str, ast.expr | None] | None:
    """The members of `Enum("Color", "RED GREEN")` and `Enum("Color", ["RED", "GREEN"])`."""
    if not (isinstance(value, ast.Call) and canonical(value.func, scope) in _ENUMS and len(value.args) == 2):
        return None
    try:
        names = ast.literal_eval(value.args[1])
    except (ValueError, TypeError, SyntaxError):
        return None
    if isinstance(names, str):
        names = names.replace(",", " ").split()
    if isinstance(names, dict):
        return {str(name): ast.Constant(item) for name, item in names.items()}
    if not isinstance(names, (list, tuple)):
        return None
    pairs = [(name, None) if isinstance(name, str) else (str(name[0]), ast.Constant(name[1])) for name in names]
    return dict(pairs)
