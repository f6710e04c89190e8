"""Values of parameters as Python source, with the imports that it takes.

A name that the notebook has for a type already is used; an import that would bind a name the notebook uses for
something else gets another name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jupyter_mlops.analysis.parameters.scope import Scope
from jupyter_mlops.domain.parameter import Member, SecretReference

_HOMES = {
    "date": "datetime",
    "datetime": "datetime",
    "timedelta": "datetime",
    "timezone": "datetime",
    "ZoneInfo": "zoneinfo",
    "Path": "pathlib",
    "Decimal": "decimal",
    "secret": "jupyter_mlops.secrets",
}
_WORD = re.compile(r"[^\W\d]\w*")


@dataclass
class SourceWriter:
    """Writes values; `imports` are the lines that what it wrote needs before it."""

    scope: Scope
    """What the cells before the source bind."""
    words: frozenset[str] = frozenset()
    """All words of the notebook's code."""
    taken: frozenset[str] = frozenset()
    """Names that stand for something else where the source is executed, whatever `scope` says."""
    imports: dict[str, str] = field(default_factory=dict)
    """Name of a type → the line that imports it."""
    _names: dict[str, str] = field(default_factory=dict)

    def source(self, value: Any) -> str:
        """An expression that makes `value`."""
        if type(value) is float and not math.isfinite(value):
            return f'float("{value}")'
        if value is None or type(value) in (bool, int, float, str):
            return repr(value)
        if type(value) is list:
            return f"[{self._items(value)}]"
        if type(value) is tuple:
            return f"({self._items(value)}{',' if len(value) == 1 else ''})"
        if type(value) is set:
            return f"{{{self._sorted(value)}}}" if value else "set()"
        if type(value) is frozenset:
            return f"frozenset({{{self._sorted(value)}}})" if value else "frozenset()"
        if type(value) is dict:
            return "{" + ", ".join(f"{self.source(key)}: {self.source(item)}" for key, item in value.items()) + "}"
        return self._call(value)

    def _call(self, value: Any) -> str:
        if type(value) is Member:
            plain = value.name.isidentifier()
            return f"{value.enum}.{value.name}" if plain else f"{value.enum}[{value.name!r}]"
        if type(value) is SecretReference:
            return f'{self._name("secret")}("{value.name}")'
        if isinstance(value, Path):
            return f"{self._name('Path')}({_quoted(str(value))})"
        if type(value) is Decimal:
            return f"{self._name('Decimal')}({_quoted(str(value))})"
        if type(value) is timedelta:
            parts = {"days": value.days, "seconds": value.seconds, "microseconds": value.microseconds}
            return f"{self._name('timedelta')}({', '.join(f'{name}={part}' for name, part in parts.items() if part)})"
        if type(value) is datetime:
            return self._datetime(value)
        if type(value) is date:
            return f"{self._name('date')}({value.year}, {value.month}, {value.day})"
        raise TypeError(f"{type(value).__name__} has no source")

    def _datetime(self, value: datetime) -> str:
        numbers = [value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond]
        while len(numbers) > 5 and not numbers[-1]:
            numbers.pop()
        arguments = ", ".join(map(str, numbers))
        if value.tzinfo is not None:
            arguments += f", tzinfo={self._zone(value.tzinfo)}"
        return f"{self._name('datetime')}({arguments}{', fold=1' if value.fold else ''})"

    def _zone(self, zone: Any) -> str:
        if isinstance(zone, ZoneInfo):
            return f"{self._name('ZoneInfo')}({_quoted(zone.key)})"
        if zone is timezone.utc:
            return f"{self._name('timezone')}.utc"
        return f"{self._name('timezone')}({self.source(zone.utcoffset(None))})"

    def _items(self, items: Iterable[Any]) -> str:
        return ", ".join(self.source(item) for item in items)

    def _sorted(self, items: Iterable[Any]) -> str:
        from jupyter_mlops.analysis.parameters.values import in_order

        return self._items(sorted(items, key=in_order))

    def _name(self, kind: str) -> str:
        """What stands for a type: a name of the notebook, else that of an import."""
        if kind not in self._names:
            self._names[kind] = self._known(kind) or self._imported(kind)
        return self._names[kind]

    def _known(self, kind: str) -> str:
        if self.scope.stars:
            return ""
        for name, dotted in self.scope.imports.items():
            if name in self.taken:
                continue
            if dotted == f"{_HOMES[kind]}.{kind}":
                return name
            if dotted == _HOMES[kind]:
                return f"{name}.{kind}"
        return ""

    def _imported(self, kind: str) -> str:
        name = kind
        while name in self.words:
            name = f"{name}_"
        line = f"from {_HOMES[kind]} import {kind}"
        self.imports[kind] = line if name == kind else f"{line} as {name}"
        return name


def words_of(sources: Iterable[str]) -> frozenset[str]:
    """All that could be a name in some code."""
    return frozenset(word for source in sources for word in _WORD.findall(source))


def _quoted(text: str) -> str:
    """A text in double quotes where that is as good as Python's own single ones."""
    plain = repr(text)
    return f'"{text}"' if plain == f"'{text}'" and '"' not in text else plain
