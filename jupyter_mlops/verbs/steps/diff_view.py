"""How two versions of code are shown: side by side where the terminal or notebook is wide enough, else unified.

Lines that differ only in comments and spaces are no difference: they change no meaning, and make no version.
"""

from __future__ import annotations

import difflib
import io
import re
import tokenize
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

NARROWEST = 100
CONTEXT = 4
"""Lines without a difference that are shown around one."""
_REMOVED, _ADDED = "red", "green"
_SILENT = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


class Difference:
    """A rich renderable that looks how much room there is."""

    def __init__(
        self, before: str, after: str, names: tuple[str, str], lines: tuple[str, ...], *, unified: bool = False
    ) -> None:
        self._before, self._after, self._names, self._lines = before, after, names, lines
        self._unified = unified

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= NARROWEST and (console.is_terminal or console.is_jupyter)
        if self._unified or not wide:
            yield unified(self._lines)
        else:
            yield side_by_side(self._before, self._after, self._names, options.max_width)


def unified(lines: tuple[str, ...]) -> Text:
    """A unified diff in colours."""
    from rich.text import Text

    shown = Text(no_wrap=True, overflow="ignore")
    for line in lines:
        style = {"+": _ADDED, "-": _REMOVED, "@": "cyan"}.get(line[:1], "")
        shown.append(line + "\n", style)
    shown.rstrip()
    return shown


def side_by_side(before: str, after: str, names: tuple[str, str], width: int) -> RenderableType:
    """Both versions in columns, the lines of one height that belong together, the changed words marked."""
    from rich.table import Table
    from rich.text import Text

    one, other = before.splitlines(), after.splitlines()
    digits = len(str(max(len(one), len(other), 1)))
    column = (width - 2 * digits - 7) // 2
    made = Table.grid(padding=(0, 1))
    for ratio in (digits, column, digits, column):
        made.add_column(width=ratio, overflow="fold", justify="right" if ratio == digits else "left")
    made.add_row("", Text(names[0], "bold"), "", Text(names[1], "bold"))
    for left, right in _rows(one, other):
        if left is None and right is None:
            made.add_row("", Text("⋯", "dim"), "", Text("⋯", "dim"))
            continue
        changed = left is None or right is None or meaning(one[left]) != meaning(other[right])
        old, new = "" if left is None else one[left], "" if right is None else other[right]
        cells = _marked(old, new) if changed else (Text(old, "dim"), Text(new, "dim"))
        made.add_row(_number(left), cells[0], _number(right), cells[1])
    return made


def meaning(line: str) -> str:
    """A line without its comment, and with its spaces as they need be."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(line.strip()).readline))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return line.rstrip()  # part of a longer text or bracket
    words = " ".join(token.string for token in tokens if token.type not in _SILENT)
    return f"{line[: len(line) - len(line.lstrip())]}{words}" if words else ""


def _rows(one: list[str], other: list[str]) -> Iterator[tuple[int | None, int | None]]:
    """Pairs of line numbers; None on one side where a line went or came, on both where equal lines are left out."""
    matcher = difflib.SequenceMatcher(None, [meaning(line) for line in one], [meaning(line) for line in other], False)
    codes = matcher.get_opcodes()
    for place, (kind, left, left_end, right, right_end) in enumerate(codes):
        length = max(left_end - left, right_end - right)
        for step in range(length):
            if kind == "equal" and length > 2 * CONTEXT + 1:
                head, tail = (place > 0) * CONTEXT, (place < len(codes) - 1) * CONTEXT
                if step == head:
                    yield None, None
                if head <= step < length - tail:
                    continue
            yield (left + step if left + step < left_end else None, right + step if right + step < right_end else None)


def _marked(old: str, new: str) -> tuple[Text, Text]:
    """Both lines, the words that differ reversed; lines that have little in common are coloured whole."""
    from rich.text import Text

    one, other = Text(old, _REMOVED), Text(new, _ADDED)
    words, others = re.findall(r"\w+|\s+|.", old), re.findall(r"\w+|\s+|.", new)
    matcher = difflib.SequenceMatcher(None, words, others, False)
    if old and new and matcher.ratio() > 0.4:
        starts, other_starts = _starts(words), _starts(others)
        for kind, left, left_end, right, right_end in matcher.get_opcodes():
            if kind != "equal":
                one.stylize(f"bold reverse {_REMOVED}", starts[left], starts[left_end])
                other.stylize(f"bold reverse {_ADDED}", other_starts[right], other_starts[right_end])
    return one, other


def _starts(words: list[str]) -> list[int]:
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    return starts


def _number(index: int | None) -> Text:
    from rich.text import Text

    return Text("" if index is None else str(index + 1), "dim")
