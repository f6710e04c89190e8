"""What a list shows of a JSON object that takes megabytes, found without reading all of it as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.domain.brief import LeftOut
from jupyter_mlops.domain.json_text import loads

_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"[ \t\n\r]*[:,{][ \t\n\r]*")
_CLOSED = re.compile(r"[ \t\n\r]*}")
_COLON, _BEHIND_TEXT = '": ', '", "'
"""What stands behind a name, and behind the text of an item that is not the last: within a text a quote has a backslash
before it."""
_LONGEST_ESCAPE = 12
_BEHIND_NUMBER = (",", "}", " ")
_LONG_TEXTS = 8
"""So many of an object are passed over to what stands behind them."""


def excerpt(text: str, most: int) -> tuple[dict[str, Any], LeftOut]:
    """The items in the first `most` characters of an object, and those behind its long texts, which begin there."""
    items: dict[str, Any] = {}
    texts: dict[str, int] = {}
    place = 0
    while True:
        part = _begun(text[place : place + most])
        items |= part.items
        place += part.end
        if part.cut is None:
            return items, LeftOut(unread=0 if part.is_all else len(text) - place, texts=texts)
        items[part.cut], texts[part.cut] = f"{part.beginning}…", len(part.beginning)
        end = _end_of_text(text, place) if len(texts) <= _LONG_TEXTS else None
        if end is None:
            return items, LeftOut(unread=len(text) - place - most + part.end, texts=texts)
        texts[part.cut] = end - place - 1
        place = end + 1


def excerpt_of_numbers(text: str, most: int) -> tuple[dict[str, Any], LeftOut]:
    """The first items of an object of numbers, which has a colon behind each name."""
    items = _begun(text[:most]).items
    return items, LeftOut(items=text.count(_COLON) - len(items))


def items_from(first: str, text: str, names: Container[str]) -> dict[str, Any] | None:
    """The items from the one named `first` on of an object of which `text` is the end; None where they are not there.

    It may have `names` alone: whatever else parses is something within a value.
    """
    for match in re.finditer(re.escape(f', "{first}": '), text):
        try:
            items = loads("{" + text[match.start() + 1 :])
        except (json.JSONDecodeError, RecursionError):
            continue
        if isinstance(items, dict) and all(name in names for name in items):
            return items
    return None


@dataclass(frozen=True)
class _Begun:
    """The `items` that are whole in a text, and where in it they `end`.

    `is_all` says that no more follow; `cut` names the item whose value begins at the end and goes on behind the text, as
    `beginning` does: of a text what it says, of a list or an object its JSON.
    """

    items: dict[str, Any]
    end: int
    is_all: bool = False
    cut: str | None = None
    beginning: str = ""


def _begun(text: str) -> _Begun:
    """What stands in a text that begins before the object, or behind one of its items, and ends anywhere."""
    items: dict[str, Any] = {}
    end = 0
    try:
        while not _CLOSED.match(text, end):
            name, place = _DECODER.raw_decode(text, _after(text, end))
            place = _after(text, place)
            try:
                value, behind = _DECODER.raw_decode(text, place)
            except (json.JSONDecodeError, RecursionError):
                if text[place : place + 1] not in ('"', "[", "{"):
                    raise
                return _Begun(items, place, cut=name, beginning=_beginning(text, place))
            if type(value) in (int, float) and text[behind : behind + 1] not in _BEHIND_NUMBER:  # more of it may follow
                break
            items[name], end = value, behind
        else:
            return _Begun(items, end, is_all=True)
    except (json.JSONDecodeError, RecursionError):
        pass
    return _Begun(items, end)


def _end_of_text(text: str, first: int) -> int | None:
    """The place of the quote that ends the text of an item which begins with the quote at the place `first`."""
    if text[first] != '"':
        return None
    place = text.find(_BEHIND_TEXT, first + 1)
    while place > 0 and _is_escaped(text, place):
        place = text.find(_BEHIND_TEXT, place + 1)
    if place > 0:
        return place
    return len(text) - 2 if text.endswith('"}') else None


def _is_escaped(text: str, place: int) -> bool:
    before = place
    while text[before - 1] == "\\":
        before -= 1
    return (place - before) % 2 == 1


def _after(text: str, place: int) -> int:
    """The place behind a brace, comma or colon. Raises `JSONDecodeError` where there is none."""
    found = _BETWEEN.match(text, place)
    if found is None:
        raise json.JSONDecodeError("The text ends.", "", 0)
    return found.end()


def _beginning(text: str, place: int) -> str:
    if text[place] != '"':
        return text[place:]
    for dropped in range(_LONGEST_ESCAPE):
        try:
            told: str = loads(text[place : len(text) - dropped] + '"')
        except json.JSONDecodeError:
            continue
        return told[:-1] if "\ud800" <= told[-1:] <= "\udbff" else told
    return ""
