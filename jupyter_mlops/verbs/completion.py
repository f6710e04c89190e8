"""What may stand at the end of a line of verbs: their names, options and values, and names that are on record.

Names on record (steps, runs, notebooks) are asked of `KnownNames`, and only where a verb takes them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from jupyter_mlops.verbs import table
from jupyter_mlops.verbs.arguments import NOTEBOOK, RUN, STEP, VERB, VERSION, Arguments, all_arguments

_NOTHING: Arguments = {"options": [], "free": []}


class KnownNames(Protocol):
    """Names on record. Nothing is made to find them; where they cannot be told at once there are none."""

    def steps(self) -> Iterable[str]:
        """Names of steps."""

    def runs(self) -> Iterable[str]:
        """Numbers of runs, newest first."""

    def notebooks(self, begun: str) -> Iterable[str]:
        """Notebooks and folders that begin so, relative to where the line is written."""

    def versions(self, step: str) -> Iterable[str]:
        """Versions of a step, newest first."""


@dataclass(frozen=True)
class Candidate:
    """One thing that may stand there, and what it is: "verb", "option", "value", "step", ..."""

    text: str
    kind: str


def split_last(line: str) -> tuple[list[str], str]:
    """The finished words of a line, and the last one as it was begun ("" after a space)."""
    start, quote = 0, ""
    for index, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign.isspace():
            start = index + 1
    return shlex.split(line[:start]), line[start:]


def complete(words: Sequence[str], begun: str, surface: str, known: KnownNames) -> list[Candidate]:
    """What may stand in place of `begun`, after `words`: a verb and its arguments."""
    entries = {entry.name: entry for entry in table.entries(surface)}
    if not words:
        return beginning(begun, (Candidate(name, VERB) for name in entries))
    entry = entries.get(words[0])
    arguments = None if entry is None else all_arguments().get(entry.module)
    if arguments is None:
        return []
    place = _Place(arguments, words[1:], list(entries), known)
    if begun.startswith("-") and "=" in begun:
        option, _, value = begun.partition("=")
        offered = place.values_of(place.option(option), value)
        return [Candidate(f"{option}={each.text}", each.kind) for each in beginning(value, offered)]
    if begun.startswith("-") and not place.expects_value:
        return beginning(begun, place.options())
    values = place.values(begun)
    return beginning(begun, values if values or begun or place.expects_value else place.options())


def beginning(begun: str, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Those that begin with what was begun, each once, written in quotes where they need them or those were begun."""
    quote = begun[:1] if begun[:1] in ("'", '"') else ""
    start = begun[len(quote) :]
    found = {each.text: each for each in candidates if each.text.startswith(start)}
    return [Candidate(_quoted(each.text, quote), each.kind) for each in found.values()]


def _quoted(text: str, quote: str) -> str:
    if not quote and any(sign.isspace() for sign in text):
        quote = '"'
    return f"{quote}{text}{quote}"


class _Place:
    """Where in a verb's arguments the line ends."""

    def __init__(self, arguments: Arguments, words: Sequence[str], verbs: list[str], known: KnownNames) -> None:
        self._verbs = verbs
        self._known = known
        self._options: list[Arguments] = arguments["options"]
        self._free: list[Arguments] = list(arguments["free"])
        self._given: list[str] = []
        self._used: list[Arguments] = []
        self._open: Arguments | None = None
        """The option whose value may come next."""
        self._needed = 0
        """How many it must still have."""
        for word in words:
            self._take(word)

    @property
    def expects_value(self) -> bool:
        """Whether what comes next is an option's value, and nothing else."""
        return self._needed > 0

    def _take(self, word: str) -> None:
        is_value = self._open is not None and (self._needed > 0 or not word.startswith("-"))
        if is_value:
            self._needed = max(self._needed - 1, 0)
            self._open = self._open if self._needed else None
            return
        self._open = None
        if word.startswith("-") and word != "-":
            self._take_option(word)
        else:
            self._take_free(word)

    def _take_option(self, word: str) -> None:
        name, equals, _ = word.partition("=")
        option = self.option(name)
        if option is None:
            return
        self._used.append(option)
        if option.get("takes") and not equals:
            self._open, self._needed = option, option.get("needs", 0)

    def _take_free(self, word: str) -> None:
        self._given.append(word)
        if not self._free:
            return
        forms = self._free[0].get("forms")
        if forms is not None:
            chosen = forms.get(word, _NOTHING)
            self._options, self._free = chosen["options"], list(chosen["free"])
        elif not self._free[0].get("many"):
            self._free.pop(0)

    def option(self, name: str) -> Arguments | None:
        """The option of this name; None where there is none."""
        return next((each for each in self._options if name in each["names"]), None)

    def options(self) -> list[Candidate]:
        """The options that may still be given, each by its long name."""
        left = [each for each in self._options if each.get("many") or each not in self._used]
        return [Candidate(max(each["names"], key=len), "option") for each in left]

    def values(self, begun: str) -> list[Candidate]:
        """What may come next, but for options."""
        found = self.values_of(self._open, begun)
        if not self._needed and self._free:
            found += self.values_of(self._free[0], begun)
        return found

    def values_of(self, argument: Arguments | None, begun: str) -> list[Candidate]:
        """The values of an argument, as far as there is a list of them."""
        if argument is None:
            return []
        if "forms" in argument:
            return [Candidate(name, "form") for name in argument["forms"]]
        values = argument.get("values", "")
        if isinstance(values, list):
            return [Candidate(each, "value") for each in values]
        return [Candidate(text, values) for text in self._names(values, begun.lstrip("'\""))]

    def _names(self, kind: str, begun: str) -> Iterable[str]:
        if kind == STEP:
            return self._known.steps()
        if kind == RUN:
            return self._known.runs()
        if kind == NOTEBOOK:
            return self._known.notebooks(begun)
        if kind == VERSION and self._given:
            return self._known.versions(self._given[0])
        return self._verbs if kind == VERB else ()
