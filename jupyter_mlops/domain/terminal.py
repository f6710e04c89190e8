"""Text in pieces as a terminal leaves it standing: carriage returns and backspaces write over what is on the line.

The rules are those by which JupyterLab joins the pieces of a stream (`processText` in `@jupyterlab/outputarea`), but that
a carriage return just before the line's end, or at the end of all, stays as it was written.
"""

from __future__ import annotations

_PIECES = 4096
"""So many pieces are put together: a short one takes ten times its length."""


class Screen:
    """One stream; a piece costs what it is long, however much there was before."""

    def __init__(self) -> None:
        self.length = 0
        """Characters that stand now, or a few less."""
        self._done: list[str] = []
        self._line: list[str] = []
        self._column: int | None = None
        """Where the next character goes; None: at the end of the line."""
        self._returned = False
        """Whether the last character was a carriage return."""

    def feed(self, text: str) -> None:
        """Write a piece."""
        if not self._returned and self._column is None and "\r" not in text and "\b" not in text:
            self._append(text)
            return
        start = 0
        while (end := text.find("\n", start)) >= 0:
            self._over(text[start:end])
            self._end_line()
            start = end + 1
        self._over(text[start:])

    def take(self) -> str:
        """All that stands, in whole lines and the last one; nothing is forgotten."""
        self._done = ["".join(self._done)]
        self._line = ["".join(self._line)]
        return self._done[0] + self._line[0] + ("\r" if self._returned else "")

    def keep_last(self, most: int) -> int:
        """Forget all but about the last `most` characters, as `first_kept` has it; how many went."""
        gone = first_kept(self.take(), most)
        self.forget_first(gone)
        return gone

    def forget_first(self, count: int) -> None:
        """Forget so many characters of the beginning."""
        done, line = "".join(self._done), "".join(self._line)
        self._done = [done[count:]]
        inside = max(0, count - len(done))
        self._line = [line[inside:]]
        if self._column is not None:
            self._column = max(0, self._column - inside)
        self.length = len(self._done[0]) + len(self._line[0])

    def _append(self, text: str) -> None:
        self.length += len(text)
        cut = text.rfind("\n") + 1
        if not cut:
            self._line.append(text)
            return
        self._done += self._line
        self._done.append(text[:cut])
        self._line = [text[cut:]]
        if len(self._done) > _PIECES:
            self._done = ["".join(self._done)]

    def _end_line(self) -> None:
        # As some systems end lines.
        self._append("\r\n" if self._returned else "\n")
        self._column, self._returned = None, False

    def _over(self, text: str) -> None:
        """Write what has no line's end in it."""
        if not text:
            return
        line = "".join(self._line)
        before = len(line)
        column = before if self._column is None else self._column
        first, *others = text.split("\r")
        line, column = _put(line, column, first)
        if others:
            line, column = _all_over(line, others)
        self._line = [line]
        self._column = None if column == len(line) else column
        self._returned = text[-1] == "\r"
        self.length += len(line) - before


def _all_over(line: str, pieces: list[str]) -> tuple[str, int]:
    """Write each piece from the beginning of the line on."""
    last = pieces[-1]
    if "\b" not in "".join(pieces) and max(map(len, pieces)) <= len(last) >= len(line):
        return last, len(last)  # nothing else is to be seen: so it is with a million steps of a bar
    column = 0
    for piece in pieces:
        line, column = _put(line, 0, piece)
    return line, column


def _put(line: str, column: int, text: str) -> tuple[str, int]:
    for number, piece in enumerate(text.split("\b")):
        if number and column:
            line = line[: column - 1] + line[column + 1 :]
            column -= 1
        line = line[:column] + piece + line[column + len(piece) :]
        column += len(piece)
    return line, column


def first_kept(text: str, most: int) -> int:
    """Where the last `most` characters of a text begin, or the first whole line in them."""
    start = max(0, len(text) - most)
    return start if not start or text[start - 1] == "\n" else text.find("\n", start) + 1 or start


def standing(text: str) -> str:
    """What a text leaves standing."""
    if "\r" not in text and "\b" not in text:
        return text
    screen = Screen()
    screen.feed(text)
    return screen.take()
