"""Definitions of parameters' types → pydantic's types, and how the JSON form of a value is read back."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Union

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from jupyter_mlops.analysis.parameters.constants import evaluate
from jupyter_mlops.analysis.parameters.definitions import arguments_of, enum_members
from jupyter_mlops.domain.parameter import Member

_DURATION = re.compile(
    r"\s*(?P<sign>[+-]?)\s*(?:(?P<weeks>\d+)\s*w)?\s*(?:(?P<days>\d+)\s*d)?\s*(?:(?P<hours>\d+)\s*h)?"
    r"\s*(?:(?P<minutes>\d+)\s*m(?:in)?)?\s*(?:(?P<seconds>\d+)(?:\.(?P<fraction>\d{1,6}))?\s*s)?\s*",
    re.ASCII,
)
_ISO_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)(?:\.(?P<fraction>\d{1,6}))?S)?)?",
    re.ASCII,
)
_CLOCK = re.compile(
    r"(?:(?P<days>-?\d+) days?, )?(?P<hours>\d+):(?P<minutes>\d\d)(?::(?P<seconds>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?",
    re.ASCII,
)


def build(node: ast.expr, *, reading: bool) -> Any:
    """pydantic's type of a definition's tree. With `reading` JSON forms are taken for values, too."""
    if isinstance(node, ast.BinOp):
        return Union[build(node.left, reading=reading), build(node.right, reading=reading)]  # noqa: UP007 - of values
    if isinstance(node, ast.Constant):
        return ... if node.value is Ellipsis else None
    if isinstance(node, ast.Name):
        return _plain(node.id, reading)
    assert isinstance(node, ast.Subscript)
    assert isinstance(node.value, ast.Name)
    return _subscripted(node, node.value.id, reading)


def read_duration(value: Any) -> Any:
    """A text such as 90s, 1h30m, 1:30:00 or P1DT2H as a duration; anything else as it is."""
    if not isinstance(value, str):
        return value
    for pattern in (_DURATION, _ISO_DURATION, _CLOCK):
        match = pattern.fullmatch(value)
        parts = match.groupdict() if match else {}
        sign = -1 if parts.pop("sign", "") == "-" else 1
        if any(part is not None for part in parts.values()):
            fraction = parts.pop("fraction") or ""
            numbers = {name: int(part) for name, part in parts.items() if part}
            return sign * timedelta(**numbers, microseconds=int(fraction.ljust(6, "0")))
    raise ValueError("it is not a duration, such as 90s, 1:30:00 or P1DT2H")


def _plain(name: str, reading: bool) -> Any:
    if name == "float":
        return Annotated[float, BeforeValidator(_exact_float)]
    if name in _READ and reading:
        kind, read = _READ[name]
        return Annotated[kind, BeforeValidator(read)]
    return {**_KINDS, **{known: kind for known, (kind, _) in _READ.items()}}.get(name, Any)


def _subscripted(node: ast.Subscript, name: str, reading: bool) -> Any:
    arguments = arguments_of(node)
    if name == "Literal":
        return _literal([ast.literal_eval(item) for item in arguments])
    if name == "Enum":
        return _enum(str(ast.literal_eval(arguments[0])), enum_members(node))
    if name == "Unknown":
        return Annotated[Any, PlainValidator(_refuse), WithJsonSchema({})]
    if name == "Annotated":
        field = arguments[1]
        assert isinstance(field, ast.Call)
        limits: dict[str, Any] = {str(item.arg): evaluate(item.value) for item in field.keywords}
        inner = build(arguments[0], reading=reading)
        readers = getattr(inner, "__metadata__", ())
        if readers and all(isinstance(reader, BeforeValidator) for reader in readers):
            # The limits are those of the type itself, whatever it is read from.
            return Annotated[(inner.__origin__, Field(**limits), *readers)]
        return Annotated[inner, Field(**limits)]
    items = [build(item, reading=reading) for item in arguments]
    if name == "dict" and reading and arguments and isinstance(arguments[0], ast.Name) and arguments[0].id == "int":
        items[0] = Annotated[int, BeforeValidator(_key_number)]
    kind: Any = {**_KINDS, **{known: kind for known, (kind, _) in _READ.items()}}[name]
    made = kind[tuple(items)]
    return Annotated[made, BeforeValidator(_READ[name][1])] if reading and name in _READ else made


def _literal(choices: list[Any]) -> Any:
    def choose(value: Any) -> Any:
        for choice in choices:
            if type(choice) is type(value) and choice == value:
                return choice
        raise ValueError("it is not one of " + ", ".join(repr(choice) for choice in choices))

    return Annotated[Any, PlainValidator(choose), WithJsonSchema({"enum": choices})]


def _enum(enum: str, members: list[tuple[str, tuple[Any, ...]]]) -> Any:
    names = [name for name, _ in members]

    def choose(value: Any) -> Any:
        if isinstance(value, Member) and value.enum == enum:
            value = value.name
        elif type(value).__name__ == enum:
            value = getattr(value, "name", value)
        if isinstance(value, str) and value in names:
            return Member(enum, value)
        for name, known in members:
            if known and type(known[0]) is type(value) and known[0] == value:
                return Member(enum, name)
        raise ValueError("it is not one of " + ", ".join(names))

    return Annotated[Any, PlainValidator(choose), WithJsonSchema({"enum": names, "title": enum})]


def _refuse(value: Any) -> Any:
    raise ValueError("only executing the notebook could show what values this type takes")


def _exact_float(value: Any) -> Any:
    if type(value) is int:
        try:
            exact = float(value)
        except OverflowError:
            exact = None
        if exact != value:
            raise ValueError("no float has exactly this value")
        return exact
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return float(value)
    return value


def _key_number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?(0|[1-9]\d*)", value, re.ASCII) else value


def _read_date(value: Any) -> Any:
    return _from_iso(date, value, "it is not a date, such as 2024-12-31")


def _read_datetime(value: Any) -> Any:
    if isinstance(value, str) and value[-1:] in ("Z", "z"):
        value = value[:-1] + "+00:00"
    return _from_iso(datetime, value, "it is not a date and time, such as 2024-12-31T18:00:00")


def _from_iso(kind: type[date], value: Any, problem: str) -> Any:
    if not isinstance(value, str):
        return value
    if not re.match(r"\d{4}-\d\d-\d\d(?!\d)", value, re.ASCII):
        raise ValueError(problem)
    try:
        return kind.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(problem) from None


def _read_decimal(value: Any) -> Any:
    if type(value) not in (str, int, float):
        return value
    try:
        return Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise ValueError("it is not a decimal number") from None


def _read_path(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else value


def _as(kind: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        made = kind(value if kind is tuple else map(_hashable, value))
        if len(made) < len(value):
            raise ValueError("an item appears twice")
        return made

    return read


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        raise ValueError("a dict cannot be an item of a set")
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


_KINDS: dict[str, Any] = {"int": int, "str": str, "bool": bool, "None": None, "list": list, "dict": dict}
_READ: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "date": (date, _read_date),
    "datetime": (datetime, _read_datetime),
    "timedelta": (timedelta, read_duration),
    "Decimal": (Decimal, _read_decimal),
    "Path": (Path, _read_path),
    "tuple": (tuple, _as(tuple)),
    "set": (set, _as(set)),
    "frozenset": (frozenset, _as(frozenset)),
}
"""Types whose values are no JSON → pydantic's type, and how their JSON form is read."""
