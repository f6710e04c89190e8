"""A Parameter: a named, typed value chosen before a run, declared in the cell tagged `parameters`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SECRET = re.compile(r"secret:([A-Za-z0-9_][A-Za-z0-9_.\-/]*)\Z")
"""How a secret is asked for as a parameter's value: by its name."""


@dataclass(frozen=True)
class Parameter:
    """One assignment of the `parameters` cell.

    `type` is the annotation's text, else the type of a default that is plain to see, else "any". `default` is in JSON
    form when `has_default`; `default_source` is its text as written.
    """

    name: str
    type: str
    default: Any = None
    has_default: bool = False
    default_source: str = ""
    help: str = ""
    definition: str = ""
    """The type with all names of the notebook resolved; empty where it is `type`."""
    base: str = ""
    """The one plain type of its values, None aside: int, float, str, bool, date ...; empty where there are several."""
    choices: tuple[Any, ...] = ()
    """All its values, in JSON form, where the type names each."""
    range: str = ""
    """Which values are taken, in words: "> 0, <= 1"."""
    typed_by_default: bool = False
    """No annotation declares the type: it is that of the default."""
    left_out: int = 0
    """Where the default is not here because it is large: how many characters its text has."""

    @property
    def required(self) -> bool:
        """Whether a run must give it a value."""
        return not self.has_default and not self.default_source


@dataclass(frozen=True)
class SecretReference:
    """A value that is looked up by `name` in the kernel, and written down nowhere."""

    name: str

    def __str__(self) -> str:
        return f"secret:{self.name}"


@dataclass(frozen=True)
class Member:
    """A member of an Enum that the notebook defines."""

    enum: str
    name: str


@dataclass(frozen=True, eq=False)
class Asked(Mapping[str, Any]):
    """Values asked for, by name, and where each comes from: "-p", a file's name, an environment variable's."""

    given: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.given)

    def __len__(self) -> int:
        return len(self.given)
