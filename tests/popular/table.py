"""The table in `docs/libraries.md`, made of what the notebooks showed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from .playing import Played

PAGE = Path(__file__).resolve().parents[2] / "docs" / "libraries.md"
BEGIN, END = "<!-- table: python -m tests.popular -->", "<!-- end of table -->"
_VAGUE = re.compile(
    r"cannot be stored($|;)|what shares its values|changes the state of a library($|;)|result is not in"
)
_SCRATCH = re.compile(r"[^\s(]*oracle-\w+/")
"""The folder that a notebook is played in."""
LEAST = 0.9
"""As large a part of a notebook's repeatable cells is reused, or the table says what is not kept."""


def wrong(played: Played) -> list[str]:
    """What must not be: outputs that differ from a plain run's, a cell that ran again without a reason, or with one that
    names no part."""
    unexplained = [f"ran again for no reason: {code}" for code, why in played.again.items() if why in ("", "no record")]
    vague = [f"ran again, and no part is named: {code}" for code, why in played.again.items() if _VAGUE.search(why)]
    return [*played.differs, *played.complaints, *unexplained, *vague]


def table(results: Iterable[Played], versions: Mapping[str, str]) -> str:
    """As Markdown, by name."""
    lines = [
        "| library | reused the second time | reused after an edit | runs again, because |",
        "| --- | --- | --- | --- |",
    ]
    for played in sorted(results, key=lambda played: played.name):
        package = {"xgboost": "xgboost-cpu"}.get(played.name, played.name)
        name = f"{played.name} {versions.get(package, '')}".strip()
        again = f"{played.reused} of {played.repeatable}"
        edited = f"{played.reused_after_edit} of {played.kept_after_edit}"
        lines.append(f"| {name} | {again} | {edited} | {_reasons(played)} |")
    return "\n".join(lines)


def _reasons(played: Played) -> str:
    told = [f"`{_short(code, 44)}`: {_short(_first(why), 160)}" for code, why in played.again.items()]
    return _SCRATCH.sub("", "; ".join(told)).replace("|", "\\|")


def _first(why: str) -> str:
    first, *others = why.split("; ")
    return f"{first}, and {len(others)} more" if others else first


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def write(text: str) -> None:
    """Put the table into its page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_PLACE.sub(lambda _: f"{BEGIN}\n\n{text}\n\n{END}", page), encoding="utf-8")


def written() -> list[list[str]]:
    """The rows of the table in the page, as cells."""
    found = _PLACE.search(PAGE.read_text(encoding="utf-8"))
    rows = (found[1] if found else "").strip().splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


_PLACE = re.compile(f"{re.escape(BEGIN)}(.*?){re.escape(END)}", re.S)
