"""What may stand at the end of a `%%step` line: the notebook's steps, the options, and names for their values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.analysis.pipeline.step_options import FLAGS, LISTS, VALUES
from jupyter_mlops.domain.step_spec import is_named

_DURATIONS = ("30s", "5m", "1h", "1d", "1w")
_KINDS = ("load", "clean", "features", "train", "evaluate", "report")
_AGAIN = {"--reads", "--writes"}
"""Options that may be given several times."""
_ASSIGNED = re.compile(r"(?m)^([^\W\d_]\w*)\s*(?::[^=\n]+)?=(?!=)")
_FIXED = {"ttl": _DURATIONS, "timeout": _DURATIONS, "retries": ("1", "2", "3")}


class Around(Protocol):
    """What is known of the kernel and the notebook around the line."""

    def steps(self) -> Iterable[str]:
        """Names of the notebook's steps."""

    def kinds(self) -> Iterable[str]:
        """What its steps say of their kind."""

    def numbers(self) -> Iterable[str]:
        """Names that hold a number."""

    def plain(self) -> Iterable[str]:
        """Names that hold a number, a text or a truth value."""

    def models(self) -> Iterable[str]:
        """Names that hold something which predicts."""

    def names(self) -> Iterable[str]:
        """All names that the notebook has bound."""


@dataclass(frozen=True)
class _CellNames:
    """Names of the cell below the line."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


def complete_step(words: list[str], begun: str, cell: str, around: Around) -> tuple[str, list[str]]:
    """The part of `begun` that is replaced, and what may stand in its place; `words` stand between `%%step` and it."""
    option, value = _option_at(words, begun)
    if option is not None:
        done, _, last = value.rpartition(",") if option in LISTS else ("", "", value)
        taken = set(done.split(","))
        names = dict.fromkeys(_values(option, cell, around))
        return last, [each for each in names if each.startswith(last) and each not in taken]
    has_name = bool(_free(words))
    if begun.startswith("-") or has_name:
        given = {word.partition("=")[0] for word in words} - _AGAIN
        options = (f"--{name}" for name in (*VALUES, *FLAGS))
        return begun, [each for each in options if each.startswith(begun) and each not in given]
    return begun, [each for each in around.steps() if each.startswith(begun) and is_named(each)]


def _option_at(words: list[str], begun: str) -> tuple[str | None, str]:
    """The option whose value is being written, and the value so far."""
    if begun.startswith("--"):
        name, _, value = begun[2:].partition("=")
        return (name, value) if name in VALUES else (None, begun)
    last = words[-1] if words else ""
    if last.startswith("--") and "=" not in last and last[2:] in VALUES:
        return last[2:], begun
    return None, begun


def _free(words: list[str]) -> list[str]:
    """The words that are neither options nor values of them."""
    return [
        word
        for before, word in zip(("", *words), words, strict=False)
        if not word.startswith("-") and not (before.startswith("--") and before[2:] in VALUES)
    ]


def _values(option: str, cell: str, around: Around) -> Iterable[str]:
    code = _code_of(cell)
    if option == "metrics":
        return (*code.writes, *around.numbers())
    if option == "model":
        return (*around.models(), *code.writes)
    if option == "params":
        return (*around.plain(), *code.writes)
    if option == "inputs":
        return (*code.reads, *around.names())
    if option == "outputs":
        return (*code.writes, *around.names())
    if option == "kind":
        return (*around.kinds(), *_KINDS)
    return around.names() if option == "skip-if" else _FIXED.get(option, ())


def _code_of(cell: str) -> _CellNames:
    _, _, below = cell.lstrip("\n").partition("\n")
    try:
        names = cell_facts(below).names
    except (SyntaxError, ValueError):  # it is being written
        return _CellNames((), tuple(dict.fromkeys(_ASSIGNED.findall(below))))
    return _CellNames(
        *(tuple(sorted(name for name in found if name[:1] != "_")) for found in (names.reads, names.writes))
    )
