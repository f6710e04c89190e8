"""Annotations as a notebook writes them → definitions: the same types with every name resolved, as text.

A definition is built from a closed set of names, so that it needs no notebook to be understood: `int float str bool
None list dict tuple set frozenset date datetime timedelta Path Decimal Any Literal Annotated[T, Field(...)]`, `A | B`,
`Enum['Color', ('RED', 1), ('GREEN',)]` (a member whose value only execution tells has none) and `Unknown['pd.Timestamp']`.
Nothing is executed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from jupyter_mlops.analysis.parameters.constants import evaluate
from jupyter_mlops.analysis.parameters.scope import Scope, canonical

PLAIN = ("int", "float", "str", "bool", "None", "Any", "date", "datetime", "timedelta", "Path", "Decimal")
CONTAINERS = ("list", "dict", "tuple", "set", "frozenset")
LIMITS = (
    *("gt", "ge", "lt", "le", "multiple_of"),
    *("min_length", "max_length", "pattern", "max_digits", "decimal_places"),
)
"""What `Field` may say of a value, as pydantic names it."""
_SHORT = {
    "PositiveInt": "Annotated[int, Field(gt=0)]",
    "NonNegativeInt": "Annotated[int, Field(ge=0)]",
    "NegativeInt": "Annotated[int, Field(lt=0)]",
    "NonPositiveInt": "Annotated[int, Field(le=0)]",
    "PositiveFloat": "Annotated[float, Field(gt=0)]",
    "NonNegativeFloat": "Annotated[float, Field(ge=0)]",
    "NegativeFloat": "Annotated[float, Field(lt=0)]",
    "NonPositiveFloat": "Annotated[float, Field(le=0)]",
    "StrictInt": "int",
    "StrictFloat": "float",
    "StrictStr": "str",
    "StrictBool": "bool",
}
_CONSTRAINED = {
    "conint": "int",
    "confloat": "float",
    "constr": "str",
    "conlist": "list",
    "conset": "set",
    "condecimal": "Decimal",
    "condate": "date",
}
_METADATA = {
    "Gt": ("gt",),
    "Ge": ("ge",),
    "Lt": ("lt",),
    "Le": ("le",),
    "MultipleOf": ("multiple_of",),
    "MinLen": ("min_length",),
    "MaxLen": ("max_length",),
    "Len": ("min_length", "max_length"),
    "Interval": (),
    "Field": (),
}
"""What may stand in `Annotated` → what its positional arguments mean."""
_DEPTH = 20
"""Aliases of aliases are followed this far."""


def definition_of(annotation: ast.expr, scope: Scope) -> str:
    """The definition of an annotation."""
    return ast.unparse(_resolved(annotation, scope, _DEPTH))


def enum_definition(name: str, scope: Scope) -> str:
    """The definition of an Enum of the notebook."""
    return ast.unparse(_enum(name, scope))


def described(annotation: ast.expr, scope: Scope) -> str:
    """What an annotation says of the parameter in words: `Field(description=...)` or a text in `Annotated`."""
    if not isinstance(annotation, ast.Subscript) or canonical(annotation.value, scope) != "Annotated":
        return ""
    for item in _arguments(annotation)[1:]:
        texts: list[ast.expr] = [item] if isinstance(item, ast.Constant) else []
        if isinstance(item, ast.Call):
            texts = [each.value for each in item.keywords if each.arg in ("description", "documentation")]
            texts += item.args[:1] if canonical(item.func, scope) == "Doc" else []
        for text in texts:
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                return text.value
    return ""


def _resolved(node: ast.expr, scope: Scope, depth: int) -> ast.expr:
    if isinstance(node, ast.Constant):
        if node.value is None:
            return ast.Name("None")
        return _quoted(node.value, scope, depth) if isinstance(node.value, str) else _unknown(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([_resolved(node.left, scope, depth), _resolved(node.right, scope, depth)])
    if isinstance(node, ast.Subscript):
        return _subscript(node, scope, depth)
    if isinstance(node, ast.Call):
        return _call(node, scope, depth)
    return _name(node, scope, depth)


def _quoted(text: str, scope: Scope, depth: int) -> ast.expr:
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _unknown(ast.Constant(text))
    return _resolved(node, scope, depth - 1) if depth else _unknown(node)


def _name(node: ast.expr, scope: Scope, depth: int) -> ast.expr:
    if isinstance(node, ast.Name) and node.id in scope.enums:
        return _enum(node.id, scope)
    if isinstance(node, ast.Name) and node.id in scope.assigned and depth:
        return _resolved(scope.assigned[node.id], scope, depth - 1)
    name = canonical(node, scope)
    if name in _SHORT:
        return ast.parse(_SHORT[name], mode="eval").body
    if name == "object":
        name = "Any"
    return ast.Name(name) if name in (*PLAIN, *CONTAINERS) else _unknown(node)


def _subscript(node: ast.Subscript, scope: Scope, depth: int) -> ast.expr:
    name = canonical(node.value, scope)
    arguments = _arguments(node)
    if name == "Literal":
        return _literal(arguments, scope)
    if name in ("Final", "ClassVar"):
        return _resolved(arguments[0], scope, depth)
    if name == "Annotated":
        return _annotated(_resolved(arguments[0], scope, depth), arguments[1:], scope)
    if name not in ("Optional", "Union", *CONTAINERS):
        return _unknown(node)
    items = [
        item if isinstance(item, ast.Constant) and item.value is Ellipsis else _resolved(item, scope, depth)
        for item in arguments
    ]
    if name in ("Optional", "Union"):
        return _union([*items, ast.Name("None")] if name == "Optional" else items)
    if name == "list" and len(items) != 1:
        return _unknown(node)
    return _subscripted(name, items)


def _call(node: ast.Call, scope: Scope, depth: int) -> ast.expr:
    name = canonical(node.func, scope)
    if name not in _CONSTRAINED:
        return _unknown(node)
    inner: ast.expr = ast.Name(_CONSTRAINED[name])
    if node.args:
        inner = _subscripted(_CONSTRAINED[name], [_resolved(node.args[0], scope, depth)])
    return _annotated(inner, [ast.Call(ast.Name("Field"), [], node.keywords)], scope)


def _literal(arguments: Sequence[ast.expr], scope: Scope) -> ast.expr:
    choices: list[ast.expr] = []
    for item in arguments:
        try:
            value = evaluate(item, scope, follow=True)
        except ValueError:
            return _unknown(_subscripted("Literal", list(arguments)))
        if value is not None and type(value) not in (bool, int, str):
            return _unknown(_subscripted("Literal", list(arguments)))
        choices.append(ast.Constant(value))
    return _subscripted("Literal", choices)


def _annotated(inner: ast.expr, metadata: Sequence[ast.expr], scope: Scope) -> ast.expr:
    limits = [limit for item in metadata if isinstance(item, ast.Call) for limit in _limits(item, scope)]
    if not limits:
        return inner
    return _subscripted("Annotated", [inner, ast.Call(ast.Name("Field"), [], limits)])


def _limits(call: ast.Call, scope: Scope) -> Iterator[ast.keyword]:
    """The limits a call sets, as far as they can be told without executing it."""
    positions = _METADATA.get(canonical(call.func, scope))
    if positions is None:
        return
    given = [*zip(positions, call.args, strict=False), *((item.arg, item.value) for item in call.keywords)]
    for name, value in given:
        if name not in LIMITS:
            continue
        try:
            known = evaluate(value, scope, follow=True)
        except ValueError:
            continue
        if known is not None:
            yield ast.keyword(name, _constant(known))


def _constant(value: object) -> ast.expr:
    text = repr(value).removeprefix("datetime.")
    return ast.parse(text, mode="eval").body


def _enum(name: str, scope: Scope) -> ast.expr:
    members: list[ast.expr] = []
    for member, value in scope.enums[name].items():
        known: list[ast.expr] = []
        try:
            evaluated = evaluate(value, scope, follow=True) if value is not None else None
        except ValueError:
            evaluated = None
        if type(evaluated) in (bool, int, float, str):
            known = [ast.Constant(evaluated)]
        members.append(ast.Tuple([ast.Constant(member), *known]))
    return _subscripted("Enum", [ast.Constant(name), *members])


def _union(items: Sequence[ast.expr]) -> ast.expr:
    found = items[0]
    for item in items[1:]:
        found = ast.BinOp(found, ast.BitOr(), item)
    return found


def _unknown(node: ast.expr) -> ast.expr:
    return _subscripted("Unknown", [ast.Constant(ast.unparse(node))])


def _subscripted(name: str, items: list[ast.expr]) -> ast.expr:
    return ast.Subscript(ast.Name(name), ast.Tuple(items) if len(items) != 1 else items[0])


def _arguments(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
