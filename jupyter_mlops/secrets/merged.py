"""Pieces of several streams in the order in which they came: a secret that goes from one into another is hidden."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from jupyter_mlops.secrets.redaction import Patterns


@dataclass(frozen=True)
class Piece:
    """A text of the stream `name`; `rest` is what its owner needs to send it."""

    name: str
    text: str
    rest: Any = None


class MergedStreams:
    """Of one cell or process. What may be the beginning of a secret is held back until the next piece, or `end`.

    A secret within one piece is not its matter: who shows the pieces looks for those.
    """

    def __init__(self) -> None:
        self.held: list[Piece] = []
        self._shown = ""
        """The end of what was shown: the beginning of a secret, perhaps."""

    def feed(self, patterns: Patterns, piece: Piece) -> list[Piece]:
        """What may be shown, now that this came."""
        self.held.append(piece)
        text = self._shown + "".join(each.text for each in self.held)
        end = patterns.open_end(text)
        if end <= len(self._shown):
            return []
        made = self._without(patterns, text[:end])
        self.held, self._shown = self._after(end - len(self._shown)), ""
        return made

    def end(self, patterns: Patterns) -> list[Piece]:
        """What was held back; more than half of a secret is hidden, and so is the rest, should that come."""
        held, self.held = self.held, []
        if not held:
            return []
        text = self._shown + "".join(each.text for each in held)
        self._shown = text
        name = patterns.begun(text)
        return held if name is None else [replace(held[0], text=name)]

    def _without(self, patterns: Patterns, text: str) -> list[Piece]:
        """The pieces up to the end of `text`, without what is in several of them."""
        starts, place = [], len(self._shown)
        for piece in self.held:
            starts.append(place)
            place += len(piece.text)
        spans = [
            (first, last, name)
            for first, last, name in patterns.spans(text)
            if any(first < start < last for start in starts)
        ]
        made = []
        for piece, start in zip(self.held, starts, strict=True):
            end = min(start + len(piece.text), len(text))
            shown = "".join(_pieces(text, start, end, len(self._shown), spans))
            if shown:
                made.append(replace(piece, text=shown))
        return made

    def _after(self, count: int) -> list[Piece]:
        left = []
        for piece in self.held:
            if count < len(piece.text):
                left.append(replace(piece, text=piece.text[max(count, 0) :]))
            count -= len(piece.text)
        return left


def _pieces(text: str, start: int, end: int, begin: int, spans: list[tuple[int, int, str]]) -> list[str]:
    """The text from `start` to `end`; a span's name stands where it begins, or at `begin` where it began before."""
    pieces = []
    for first, last, name in spans:
        if last <= start or first >= end:
            continue
        pieces.append(text[start : max(first, start)])
        if start <= max(first, begin) < end:
            pieces.append(name)
        start = min(last, end)
    pieces.append(text[start:end])
    return pieces
