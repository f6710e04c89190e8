"""The types a parameter may be declared with, read from annotation text: does a value fit, what does a text mean.

Known: str int float bool None list dict, Optional, Union, `|`, Literal, Any. Other names (Path, date) take any value,
for nothing can be said of them without executing the notebook; tuple, set, bytes and complex take none, for no JSON
value is one.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterator
from typing import Any

_PLAIN: dict[str, type] = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict}
_ALIASES = {
    "List": "list",
    "Sequence": "list",
    "Iterable": "list",
    "Dict": "dict",
    "Mapping": "dict",
    "Tuple": "tuple",
    "Set": "set",
    "FrozenSet": "frozenset",
}
_UNFIT = {"tuple": "list", "set": "list", "frozenset": "list", "bytes": "str", "complex": "float"}
_ARTICLES = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list, such as [1, 2]",
    "dict": 'a dict, such as {"a": 1}',
}
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


def is_json_like(value: Any) -> bool:
    """Whether `value` comes back from JSON as it went in."""
    if value is None or type(value) in (bool, int, str):
        return True
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is list:
        return all(is_json_like(item) for item in value)
    if type(value) is dict:
        return all(type(key) is str and is_json_like(item) for key, item in value.items())
    return False


def named(kind: str) -> str:
    """The type in words, for a hint."""
    node = _node(kind)
    return _ARTICLES.get(_name(node), f"a value of {kind}") if isinstance(node, ast.Name) else f"a value of {kind}"


def fit(kind: str, value: Any) -> Any:
    """`value` where it is of the type `kind`; a whole number for a float becomes one. Raises `ValueError` (why not)."""
    return _fit(_node(kind), value)


def parse(kind: str, text: str, *, none: bool) -> Any:
    """The value of type `kind` that `text` stands for. Raises `ValueError` (why none).

    With `none`, the word None stands for None whatever the type.
    """
    if none and text in ("None", "null"):
        return None
    return _parse(_node(kind), text)


def choices_of(kind: str) -> tuple[Any, ...]:
    """All values of a type that names each: those of `Literal`, and None where a union adds it; () for other types."""
    members = _members(_node(kind))
    found = [choice for member in members if _base(member) == "Literal" for choice in _choices(member)]
    if not found or any(_base(member) not in ("Literal", "None") for member in members):
        return ()
    return (*found, *((None,) if any(_base(member) == "None" for member in members) and None not in found else ()))


def _node(kind: str) -> ast.expr:
    try:
        return ast.parse(kind.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return ast.Name("any")


def _name(node: ast.expr) -> str:
    """The last part of a dotted name, common aliases resolved; "" for what is no name."""
    if isinstance(node, ast.Attribute):
        name = node.attr
    elif isinstance(node, ast.Name):
        name = node.id
    elif isinstance(node, ast.Constant) and node.value is None:
        return "None"
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    else:
        return ""
    return _ALIASES.get(name, name)


def _arguments(node: ast.expr) -> list[ast.expr]:
    if not isinstance(node, ast.Subscript):
        return []
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _base(node: ast.expr) -> str:
    return _name(node.value) if isinstance(node, ast.Subscript) else _name(node)


def _members(node: ast.expr) -> list[ast.expr]:
    """The members of a union, of whichever spelling; a type that is no union is its only member."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_members(node.left), *_members(node.right)]
    if _base(node) in ("Annotated", "Final") and _arguments(node):
        return _members(_arguments(node)[0])
    if _base(node) in ("Optional", "Union") and isinstance(node, ast.Subscript):
        found = [member for argument in _arguments(node) for member in _members(argument)]
        return [*found, ast.Constant(None)] if _base(node) == "Optional" else found
    return [node]


def _fit(node: ast.expr, value: Any) -> Any:
    members = _members(node)
    if len(members) == 1:
        return _fit_one(members[0], value)
    # An exact fit comes before a conversion: 1 stays 1 for `float | int`.
    for member in members:
        if _exact(member, value):
            return _fit_one(member, value)
    for member in members:
        try:
            return _fit_one(member, value)
        except ValueError:
            continue
    raise ValueError(f"it is of type {type(value).__name__}")


def _exact(node: ast.expr, value: Any) -> bool:
    base = _base(node)
    return type(value).__name__ == base or (value is None and base == "None")


def _fit_one(node: ast.expr, value: Any) -> Any:
    base = _base(node)
    if base == "Literal":
        return _choose(_choices(node), lambda choice: type(choice) is type(value) and choice == value)
    if base in _UNFIT:
        raise ValueError(f"parameters cannot carry a {base}; declare a {_UNFIT[base]} and convert it in the notebook")
    if base == "None":
        if value is not None:
            raise ValueError(f"it is of type {type(value).__name__}")
        return None
    if value is None and base not in ("Any", "object"):
        raise ValueError("None is taken only where the type says `| None` or the default is None")
    if base == "float":
        return _to_float(value)
    if base not in _PLAIN:
        return value
    if type(value) is not _PLAIN[base]:
        raise ValueError(f"it is of type {type(value).__name__}")
    return _fit_items(node, base, value)


def _fit_items(node: ast.expr, base: str, value: Any) -> Any:
    arguments = _arguments(node)
    if base == "list" and len(arguments) == 1:
        return [_fit_item(arguments[0], item, f"item {index}") for index, item in enumerate(value)]
    if base == "dict" and len(arguments) == 2:
        return {key: _fit_item(arguments[1], item, f"the value of {key!r}") for key, item in value.items()}
    return value


def _fit_item(node: ast.expr, value: Any, place: str) -> Any:
    try:
        return _fit(node, value)
    except ValueError as error:
        raise ValueError(f"{place}, {value!r}: {error}") from None


def _to_float(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int and _exactly_float(value):
        return float(value)
    raise ValueError(f"it is of type {type(value).__name__}")


def _exactly_float(value: int) -> bool:
    try:
        return float(value) == value
    except OverflowError:
        return False


def _choices(node: ast.expr) -> Iterator[Any]:
    for argument in _arguments(node):
        try:
            yield ast.literal_eval(argument)
        except ValueError:
            continue


def _choose(choices: Iterator[Any], wanted: Any) -> Any:
    known = list(choices)
    for choice in known:
        if wanted(choice):
            return choice
    raise ValueError("it is none of " + ", ".join(repr(choice) for choice in known))


def _parse(node: ast.expr, text: str) -> Any:
    members = _members(node)
    if any(_name(member) == "None" for member in members) and text in ("None", "null"):
        return None
    problem = ValueError("it has no value of this type")
    # A text is always a str, so that comes last: "3" is 3 for `str | int`.
    for member in sorted(members, key=lambda member: _base(member) == "str"):
        try:
            return _parse_one(member, text)
        except ValueError as error:
            problem = error
    raise problem


def _parse_one(node: ast.expr, text: str) -> Any:
    base = _base(node)
    if base == "str":
        return text
    if base == "Literal":
        return _choose(_choices(node), lambda choice: str(choice) == text)
    if base == "bool":
        if text.strip().lower() in (*_TRUE, *_FALSE):
            return text.strip().lower() in _TRUE
        raise ValueError("it is neither true nor false")
    if base == "int":
        return _number(int, text, "it is no whole number")
    if base == "float":
        return _number(float, text, "it is no number")
    if base == "None":
        raise ValueError("it is not None")
    return _parse_collection(node, text) if base in ("list", "dict", *_UNFIT) else _guess(text)


def _parse_collection(node: ast.expr, text: str) -> Any:
    """A list or dict written as JSON or as a Python literal."""
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return _fit_one(node, value)
    raise ValueError("it is neither JSON nor a Python literal")


def _number(convert: Any, text: str, problem: str) -> Any:
    try:
        return convert(text.strip())
    except ValueError:
        raise ValueError(problem) from None


def _guess(text: str) -> Any:
    """For a parameter of no known type: a literal where it reads as one, else the text."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = text
    if value is text and (text[:1] in ("[", "{") or text in ("true", "false", "null")):
        try:
            value = json.loads(text)
        except ValueError:
            return text
    return value if is_json_like(value) else text
