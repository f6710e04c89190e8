"""Values of parameters: which there are, their JSON form to look at, and one from which the exact value comes back.

The plain form is JSON as people write it: a date is its ISO text, a set a list. Where the declared type does not lead
from it to the same value again (a date given where the type says `date | str`), what is stored is marked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jupyter_mlops.domain.json_text import dumps, loads
from jupyter_mlops.domain.parameter import Member, SecretReference
from jupyter_mlops.errors import InputError

MARK = "__mlops__"
"""The key of what is marked; its value names the type."""
_PATH = type(Path())
_SCALARS = (bool, int, float, str, date, datetime, timedelta, Decimal, _PATH, Member, SecretReference)


def is_value(value: Any) -> bool:
    """Whether `value`, with all that is in it, is of types that can be written down exactly."""
    if value is None or type(value) in _SCALARS:
        return not (type(value) is datetime and not _known_zone(value.tzinfo)) and not _is_huge(value)
    if type(value) in (list, tuple, set, frozenset):
        return all(is_value(item) for item in value)
    if type(value) is dict:
        return all(is_value(key) and is_value(item) for key, item in value.items())
    return False


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal and of the same types, in all their parts."""
    if type(left) is not type(right):
        return False
    if type(left) in (list, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if type(left) is dict:
        return len(left) == len(right) and all(
            same(a, b) and same(left[a], right[b]) for a, b in zip(left, right, strict=True)
        )
    if type(left) in (set, frozenset):
        return _sorted_items(left) == _sorted_items(right)
    return repr(left) == repr(right)


def to_plain(value: Any) -> Any:
    """The JSON form to look at. What JSON has no word for is its text."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else str(value)
    if type(value) in (list, tuple):
        return [to_plain(item) for item in value]
    if type(value) in (set, frozenset):
        return [to_plain(item) for item in sorted(value, key=in_order)]
    if type(value) is dict:
        return {_key(key): to_plain(item) for key, item in value.items()}
    if type(value) is timedelta:
        return _iso_duration(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if type(value) is Member:
        return value.name
    return str(value)


def to_stored(value: Any, read: Callable[[Any], Any]) -> Any:
    """The JSON form that `read` (by the declared type) makes the same value of, marked where the plain one is not it."""
    plain = to_plain(value)
    try:
        back = read(loads(dumps(plain)))
    except (ValueError, InputError):
        back = MARK
    return plain if same(back, value) and MARK not in dumps(plain) else _marked(value)


def from_stored(value: Any) -> Any:
    """`value`, with what is marked in it as it was; what is not marked stays JSON."""
    if isinstance(value, list):
        return [from_stored(item) for item in value]
    if type(value) is not dict:
        return value
    if MARK not in value:
        return {key: from_stored(item) for key, item in value.items()}
    make = _MAKE.get(str(value[MARK]))
    if make is None:
        raise ValueError(f"its marker {value[MARK]!r} is unknown to this version")
    return make(value)


def _marked(value: Any) -> Any:
    """A form that tells the type of each part whose plain form does not."""
    if value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value)):
        return value
    if type(value) is list:
        return [_marked(item) for item in value]
    if type(value) is dict and MARK not in value and all(type(key) is str for key in value):
        return {key: _marked(item) for key, item in value.items()}
    if type(value) is dict:
        return {MARK: "dict", "value": [[_marked(key), _marked(item)] for key, item in value.items()]}
    if type(value) in (tuple, set, frozenset):
        items = value if type(value) is tuple else sorted(value, key=in_order)
        return {MARK: type(value).__name__, "value": [_marked(item) for item in items]}
    if type(value) is timedelta:
        return {MARK: "timedelta", "value": [value.days, value.seconds, value.microseconds]}
    if type(value) is datetime:
        zone = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else None
        text = value.replace(tzinfo=None).isoformat() if zone else value.isoformat()
        return {MARK: "datetime", "value": text, "zone": zone, "fold": value.fold}
    if type(value) is Member:
        return {MARK: "Enum", "value": value.name, "enum": value.enum}
    kind = (
        "Path" if isinstance(value, Path) else "secret" if isinstance(value, SecretReference) else type(value).__name__
    )
    return {MARK: kind, "value": value.name if isinstance(value, SecretReference) else str(value)}


def _datetime(marked: dict[str, Any]) -> datetime:
    value = datetime.fromisoformat(marked["value"]).replace(fold=marked["fold"])
    return value.replace(tzinfo=ZoneInfo(marked["zone"])) if marked["zone"] else value


_MAKE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "dict": lambda marked: {from_stored(key): from_stored(item) for key, item in marked["value"]},
    "tuple": lambda marked: tuple(from_stored(item) for item in marked["value"]),
    "set": lambda marked: {from_stored(item) for item in marked["value"]},
    "frozenset": lambda marked: frozenset(from_stored(item) for item in marked["value"]),
    "float": lambda marked: float(marked["value"]),
    "timedelta": lambda marked: timedelta(*marked["value"]),
    "date": lambda marked: date.fromisoformat(marked["value"]),
    "datetime": _datetime,
    "Decimal": lambda marked: Decimal(marked["value"]),
    "Path": lambda marked: Path(marked["value"]),
    "Enum": lambda marked: Member(marked["enum"], marked["value"]),
    "secret": lambda marked: SecretReference(marked["value"]),
}


def _known_zone(zone: tzinfo | None) -> bool:
    return zone is None or type(zone) is timezone or (isinstance(zone, ZoneInfo) and zone.key is not None)


def _is_huge(value: Any) -> bool:
    """Whether Python would not write a number down."""
    try:
        return type(value) is int and not str(value)
    except ValueError:
        return True


def _iso_duration(value: timedelta) -> str:
    """ISO 8601, such as P1DT2H0.5S."""
    sign, value = ("-", -value) if value < timedelta() else ("", value)
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{value.days}D" if value.days else ""
    clock = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number)
    if seconds or value.microseconds or not (days or clock):
        clock += f"{seconds}.{value.microseconds:06d}".rstrip("0") if value.microseconds else str(seconds)
        clock += "S"
    return f"{sign}P{days}{'T' if clock else ''}{clock}"


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(to_plain(key))


def in_order(value: Any) -> tuple[str, Any]:
    """Numbers by size, everything else by how it looks, so that the order is the same each time."""
    return ("", value) if type(value) in (int, bool) else (type(value).__name__, repr(value))


def _sorted_items(items: Any) -> list[str]:
    return sorted(repr(item) if type(item) is not frozenset else repr(_sorted_items(item)) for item in items)
