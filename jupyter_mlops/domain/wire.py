"""How values of the domain look as JSON: dataclasses as objects, enums and reasons as text, times as ISO 8601 in UTC."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

from jupyter_mlops.domain.reason import Reason, Reasons
from jupyter_mlops.domain.reason_text import phrases, sentence


def to_wire(value: Any) -> Any:
    """`value` in JSON's own types. A number that JSON has no word for (nan, inf) becomes its text."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, Reason):
        return sentence(value)
    if isinstance(value, Reasons):
        return phrases(value)
    if is_dataclass(value):
        return {field.name: to_wire(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_wire(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((to_wire(item) for item in value), key=repr)
    raise TypeError(f"{type(value).__name__} has no JSON form")
