"""The secrets that this process has looked up: nothing is known, and nothing costs anything, before the first one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from jupyter_mlops.secrets.redaction import Patterns

Value = TypeVar("Value")
ABSENT = "absent"
HOLDS = "holds a secret"
"""Why a value is not stored."""
CONDITION = "secret:"
"""In front of a name: the secret of that name, where else a file is depended on."""


class KnownSecrets:
    """What was looked up: `patterns` find it in texts, None where nothing was; `asked` names what cells asked for."""

    def __init__(self) -> None:
        self.patterns: Patterns | None = None
        self.asked: list[str] = []
        self.looking: set[int] = set()
        """Threads that are looking a secret up: what they do to the world is no cell's doing."""
        self._values: dict[str, dict[str, None]] = {}
        self._lock = threading.Lock()
        self._first: list[Callable[[], None]] = []
        self._asking: list[Callable[[str], None]] = []

    def add(self, name: str, value: str, protect: Callable[[], None] | None = None) -> None:
        """From now on this value shows as its name; what it was before does too.

        `protect` is called with the first one, before whoever waits for that.
        """
        with self._lock:
            values = self._values.setdefault(name, {})
            first, new = self.patterns is None, value not in values
            if new:
                from jupyter_mlops.secrets.redaction import Patterns

                values[value] = None
                self.patterns = Patterns(self._values)
        if first:
            if protect is not None:
                protect()
            for call in list(self._first):
                call()

    def when_first(self, call: Callable[[], None]) -> None:
        """Have a function called once there is a secret; at once where there is one."""
        self._first.append(call)
        if self.patterns is not None:
            call()

    def when_asked(self, call: Callable[[str], None]) -> None:
        """Have a function called with the name of each secret that code asks for."""
        self._asking.append(call)

    def ask(self, name: str) -> None:
        """Code asks for the secret of this name."""
        self.asked.append(name)
        for call in self._asking:
            call(name)

    @contextmanager
    def lookup(self) -> Iterator[None]:
        """While a secret is looked up."""
        identity = threading.get_ident()
        outermost = identity not in self.looking
        self.looking.add(identity)
        try:
            yield
        finally:
            if outermost:
                self.looking.discard(identity)


KNOWN = KnownSecrets()


def redact(value: Value) -> Value:
    """A text, or a structure of dicts and lists, with names in place of secrets."""
    if KNOWN.patterns is None:
        return value
    from jupyter_mlops.secrets.redaction import redact_all

    made: Value = redact_all(KNOWN.patterns, value)
    return made


def holds(text: str) -> bool:
    """Whether a text holds a secret."""
    return KNOWN.patterns is not None and KNOWN.patterns.holds(text)


def holds_bytes(data: Any) -> bool:
    """Whether bytes hold a secret."""
    return KNOWN.patterns is not None and KNOWN.patterns.holds_bytes(data)


def keyed(digest: str) -> str:
    """A digest of what holds a secret, made with the user's own key: no one without it can try out values."""
    from jupyter_mlops.store.objects.signing import sign

    return sign(f"holds a secret:{digest}")[:32]
