"""How tables look, everywhere: no boxes, quiet heads, one line a row."""

from __future__ import annotations

import itertools
import math
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from jupyter_mlops.domain.brief import LeftOut

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

LONGEST = 200
"""Characters of a value that a list shows."""
MOST = 20
"""Parameters or metrics that a row of a list shows."""
STYLES = {
    "fresh": "#2da44e",
    "completed": "#2da44e",
    "reused": "#1b9aaa",
    "stale": "#bf8700",
    "running": "#2f81f7",
    "pending": "#2f81f7",
    "failed": "bold #e5534b",
    "lost": "bold #e5534b",
    "canceled": "#a371f7",
    "never_run": "dim",
}
"""Colours that can be read on a light and on a dark page: in a notebook those of a terminal's palette stay as they are."""


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table; a column whose name ends with `>` is set flush right, and what stands in it is never broken."""
    made = Table(title=title, box=None, header_style="dim", title_justify="left", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        is_figure = column.endswith(">")
        made.add_column(
            column.rstrip(">"), justify="right" if is_figure else "left", overflow="fold", no_wrap=is_figure
        )
    return made


def state(value: object) -> str:
    """A status or state in its colour."""
    text = str(value)
    style = STYLES.get(text, "")
    shown = text.replace("_", " ")
    return f"[{style}]{shown}[/]" if style else shown


def step_name(name: str, label: str = "") -> str:
    """A step's name; where no one gave it, quietly its first line of code, and what verbs know it by."""
    if "@" not in name:
        return escape(name)
    shown = f"{label}  @{name.rpartition('@')[2]}" if label and label != name else name
    return f"[dim]{escape(shown)}[/]"


def seconds(value: float | None) -> str:
    """A duration for people."""
    if value is None:
        return ""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min"


def took(value: float | None, computed: float | None) -> str:
    """How long a step took; of a reuse (`computed` is not None) how long to restore it, and to compute it once."""
    return seconds(value) if computed is None else f"restored in {seconds(value)} (ran {seconds(computed)})"


def ago(value: datetime | None) -> str:
    """How long ago a time was."""
    if value is None:
        return ""
    passed = (datetime.now(timezone.utc) - value).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if passed >= size:
            return f"{passed / size:.0f} {unit} ago"
    return f"{max(passed, 0):.0f} s ago"


class Verbatim:
    """A text that is shown as it is: no line is broken, nothing in it is markup."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        for line in self._text.split("\n"):
            yield Segment(line)
            yield Segment.line()


def pairs(values: dict[str, Any], left: LeftOut | None = None, *, digits: int = 4) -> str:
    """`a=1 b=0.93` of parameters or metrics, and how many more there are; `left` is what `values` leave out already."""
    left = left or LeftOut()
    shown = [
        f"{short(name)}={number(value, digits) if isinstance(value, float) else short(str(value), left.texts.get(name))}"
        for name, value in itertools.islice(values.items(), MOST)
    ]
    more = len(values) - len(shown) + left.items
    shown += [f"(+{more:,})"] if more else []
    shown += [f"({left.unread:,} characters more)"] if left.unread else []
    return escape("  ".join(shown))


def short(text: str, size: int | None = None) -> str:
    """A text for a list, cut before it is laid out: some megabytes take a minute. `size` is what it had before it was cut."""
    size = size or len(text)
    return text if size <= LONGEST else f"{text[:LONGEST]}… ({size:,} characters)"


def number(value: float, digits: int = 4, *, sign: str = "", zeros: bool = False) -> str:
    """A number of so many digits that count, those before the point never cut: 12345, 0.1235, 1.2e-07.

    With `zeros` those at the end stay, so that columns of numbers are alike; `sign` is "+" where a plus is to be shown.
    """
    if isinstance(value, int):
        return f"{value:{sign}d}"
    size = abs(value)
    if not math.isfinite(value) or (size and not 1e-4 <= size < 1e15):
        return f"{value:{sign}.{digits}g}"
    places = max(0, digits - 1 - math.floor(math.log10(size))) if size else digits - 1
    text = f"{value:{sign}.{places}f}"
    return text if zeros or "." not in text else text.rstrip("0").rstrip(".")
