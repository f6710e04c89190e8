"""A Parameter: a named, typed value chosen before a run, declared in the cell tagged `parameters`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """One assignment of the `parameters` cell.

    `type` is the annotation's text, else the type name of a literal default, else "any".
    `default` is JSON-like when `has_default` (the literal's value); `default_source` is its text as written.
    """

    name: str
    type: str
    default: Any = None
    has_default: bool = False
    default_source: str = ""
    help: str = ""
