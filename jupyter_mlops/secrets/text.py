"""What `secret("NAME")` gives: its value as text, which does not tell itself where it is only looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

look_up_by: list[Callable[[str], Secret]] = []
"""How a secret is looked up: `jupyter_mlops.secrets` puts it here when it is imported, which it is before this module."""


class Secret(str):
    """Text like any other (in f-strings, headers, `os.environ`); its repr is its name, and so is what pickling takes.

    What is made of it, such as a slice or a concatenation, is plain text.
    """

    __slots__ = ("_name",)
    _name: str

    def __new__(cls, name: str, value: str) -> Secret:
        made = super().__new__(cls, value)
        made._name = name
        return made

    def __repr__(self) -> str:
        return mark(self._name)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _again, (self._name,)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: Any) -> Secret:
        return self


def mark(name: str) -> str:
    """What stands where the secret called `name` would."""
    return f"<secret {name}>"


def _again(name: str) -> Secret:
    """Looked up where it is unpickled: the value itself is in no pickle."""
    return look_up_by[0](name)
