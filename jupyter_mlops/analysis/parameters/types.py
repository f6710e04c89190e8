"""The types of parameters: does a value fit, what does a text of the command line mean, which values are there.

A type is given as its definition (`annotations`). pydantic does the checking, strictly: a text becomes no number and a
number no text. It is imported where a value is checked first.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.parameters.constants import evaluate
from jupyter_mlops.analysis.parameters.definitions import arguments_of, enum_members, head_of, members_of, node_of
from jupyter_mlops.domain.json_text import loads

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

_ARTICLES = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list, such as [1, 2]",
    "dict": 'a dict, such as {"a": 1}',
    "tuple": "a tuple, such as [1, 2]",
    "set": "a set, such as [1, 2]",
    "date": "a date, such as 2024-12-31",
    "datetime": "a time, such as 2024-12-31T18:00:00",
    "timedelta": "a duration, such as 90s, 1:30:00 or P1DT2H",
    "Path": "a path",
    "Decimal": "a decimal number",
}
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "multiple_of": "a multiple of", "pattern": "like"}
_LENGTHS = {
    "min_length": "length >=",
    "max_length": "length <=",
    "max_digits": "digits <=",
    "decimal_places": "decimals <=",
}
_CONTAINERS = ("list", "dict", "tuple", "set", "frozenset")
_TURNS = {"Literal": 0, "Enum": 0, "int": 1, "bool": 2, "Path": 4, "str": 5}
"""Which member of a union is tried first with a text: a text is always a str, so "3" is 3 for `str | int`."""
_CONSTRUCTED = re.compile(r"(datetime\.(date|datetime|timedelta)|Decimal)\([^()]*\)")
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_NOT_FINITE = ("nan", "inf", "-inf", "+inf", "infinity", "-infinity", "+infinity")


def fit(definition: str, value: Any) -> Any:
    """`value` as the type has it, from itself or from its JSON form. Raises `ValueError` (why it has none)."""
    from pydantic import ValidationError

    try:
        # What is of the type already is not read as the JSON form of something else.
        return adapter(definition, reading=False).validate_python(value, strict=True)
    except ValidationError:
        pass
    try:
        return adapter(definition, reading=True).validate_python(value, strict=True)
    except ValidationError as error:
        raise ValueError(_reason(error, value)) from None


def parse(definition: str, text: str, *, none: bool) -> Any:
    """The value that `text` stands for by a type, not yet checked. Raises `ValueError` (why it is none).

    With `none`, the word None stands for None whatever the type.
    """
    if none and text in ("None", "null"):
        return None
    return _parse(node_of(definition), text)


def named(definition: str) -> str:
    """The type in words, for a hint."""
    base, limits = base_of(definition), range_of(definition)
    words = _ARTICLES.get(base) or _ARTICLES.get(head_of(node_of(definition)), "")
    choices = choices_of(definition)
    if choices:
        return "one of " + ", ".join(str(choice) for choice in choices)
    return (words or f"a value of {definition}") + (f", {limits}" if limits else "")


def base_of(definition: str) -> str:
    """The one plain type of the values, None aside; "" where there are several."""
    members = [member for member in members_of(node_of(definition)) if head_of(member) != "None"]
    if len(members) != 1:
        return ""
    head = head_of(members[0])
    return "" if head in ("Literal", "Unknown", "Any") else head


def takes_none(definition: str) -> bool:
    """Whether the type says that None is a value."""
    return any(head_of(member) == "None" for member in members_of(node_of(definition)))


def choices_of(definition: str) -> tuple[Any, ...]:
    """All values, in JSON form, of a type that names each: those of `Literal` and Enums, and None where a union adds it."""
    members = members_of(node_of(definition))
    choices: list[Any] = []
    for member in members:
        if head_of(member) == "Literal":
            choices += _literals(member)
        elif head_of(member) == "Enum":
            choices += [name for name, _ in enum_members(member)]
        elif head_of(member) != "None":
            return ()
    if not choices:
        return ()
    return (*choices, *((None,) if takes_none(definition) and None not in choices else ()))


def range_of(definition: str) -> str:
    """Which values a type takes, in words: "> 0, <= 1"; "" where all."""
    for member in members_of(node_of(definition), plain=False):
        if head_of(member) == "Annotated":
            (_, field) = arguments_of(member)
            assert isinstance(field, ast.Call)
            signs = {**_SIGNS, **_LENGTHS}
            return ", ".join(f"{signs[str(item.arg)]} {_shown(evaluate(item.value))}" for item in field.keywords)
    return ""


@lru_cache(maxsize=512)
def adapter(definition: str, *, reading: bool) -> TypeAdapter[Any]:
    """pydantic's validator of a type; with `reading` it takes JSON forms of values for the values."""
    from pydantic import TypeAdapter

    from jupyter_mlops.analysis.parameters.models import build

    return TypeAdapter(build(node_of(definition), reading=reading))


def _literals(node: ast.expr) -> list[Any]:
    return [ast.literal_eval(item) for item in arguments_of(node)]


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def _parse(node: ast.expr, text: str) -> Any:
    members = members_of(node)
    if any(head_of(member) == "None" for member in members) and text in ("None", "null"):
        return None
    problem = ValueError("it has no value of this type")
    for member in sorted(members, key=lambda member: _TURNS.get(head_of(member), 3)):
        try:
            value = _parse_one(member, text)
            return value if len(members) == 1 else fit(ast.unparse(member), value)
        except ValueError as error:
            problem = error
    raise problem


def _parse_one(node: ast.expr, text: str) -> Any:
    head = head_of(node)
    if head == "bool":
        if text.strip().lower() in (*_TRUE, *_FALSE):
            return text.strip().lower() in _TRUE
        raise ValueError("it is neither true nor false")
    if head == "int":
        return _whole(text)
    if head == "float":
        return _number(text)
    if head == "None":
        raise ValueError("it is not None")
    if head == "Literal":
        return _choose(_literals(node), text)
    if head == "Enum":
        by_value = {str(value[0]): name for name, value in reversed(enum_members(node)) if value}
        return text if text in dict(enum_members(node)) else by_value.get(text, text)
    if head in _CONTAINERS:
        return _collection(text)
    # Dates, paths and the like: their JSON form is the text. Of no known type: what it reads as.
    return _guess(text) if head in ("Any", "") else text


def _choose(choices: list[Any], text: str) -> Any:
    for choice in choices:
        if str(choice) == text:
            return choice
    raise ValueError("it is not one of " + ", ".join(repr(choice) for choice in choices))


def _whole(text: str) -> int:
    if not re.fullmatch(r"\s*[+-]?\d+(_\d+)*\s*", text, re.ASCII):
        raise ValueError("it is not a whole number")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("it is not a number") from None
    if not math.isfinite(value) and text.strip().lower() not in _NOT_FINITE:
        raise ValueError("it is too large")
    return value


def _collection(text: str) -> Any:
    """What is written as JSON or as a Python literal."""
    try:
        return _json(text)
    except ValueError as error:
        if "twice" in str(error) or "too large" in str(error):
            raise
    try:
        return evaluate(ast.parse(text.strip(), mode="eval").body)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ValueError("it is neither JSON nor a Python literal") from None


def _json(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key appears twice")
        return dict(pairs)

    return loads(text, object_pairs_hook=unique, parse_float=_number)


def _guess(text: str) -> Any:
    """For a parameter of no known type: a literal where it reads as one, else the text."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = text
    if type(value) is float and not math.isfinite(value):
        return text
    if value is text and (text[:1] in ("[", "{") or text in ("true", "false", "null")):
        try:
            return _json(text)
        except ValueError:
            return text
    return text if isinstance(value, (bytes, complex, type(...))) else value


def _reason(error: ValidationError, value: Any) -> str:
    found: dict[str, None] = {}
    for item in error.errors(include_url=False):
        message = str(item["ctx"]["error"]) if item["type"] == "value_error" else item["msg"]
        message = message.replace("Input should", "it should", 1)
        message = _CONSTRUCTED.sub(lambda match: str(evaluate(ast.parse(match[0], mode="eval").body)), message)
        if item["type"].endswith("_type"):
            message += f", and is a {type(item['input']).__name__}"
        place = ", ".join(_places(item["loc"], value))
        found[f"{place}: {message}" if place else message] = None
    return "; or ".join(list(found)[:4])


def _places(loc: tuple[int | str, ...], value: Any) -> Iterator[str]:
    """Where in `value` an error is. What names a member of a union is no place."""
    for part in loc:
        if isinstance(value, (list, tuple)) and isinstance(part, int) and part < len(value):
            value = value[part]
            yield f"item {part}, {value!r}"
        elif isinstance(value, dict) and part in value:
            value = value[part]
            yield f"the value of {part!r}, {value!r}"
        elif part == "[key]":
            yield "the key"
