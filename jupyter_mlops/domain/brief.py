"""What a list shows of values that may be large: the beginnings of texts, the first of many, and how much is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from jupyter_mlops.domain.json_text import dumps

T = TypeVar("T")


@dataclass(frozen=True)
class LeftOut:
    """What is not shown of one field: so many of its `items`, so many characters `unread`, in which others may be.

    `texts` are those of which only the beginning is there, each with its number of characters: by the name of the item, or
    of the field's own part.
    """

    items: int = 0
    unread: int = 0
    texts: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.items or self.unread or self.texts)

    def __add__(self, other: LeftOut) -> LeftOut:
        return LeftOut(self.items + other.items, self.unread + other.unread, {**other.texts, **self.texts})


@dataclass(frozen=True)
class Extent:
    """How much is shown: so many characters of a text, so many items of a mapping; `read` are those of a field in the index
    that are looked at to find them."""

    text: int
    items: int
    read: int


IN_LIST = Extent(text=1_000, items=100, read=131_072)
"""Of one run, or one step run, among others."""
IN_DETAIL = Extent(text=10_000, items=1_000, read=1_048_576)
"""Of one that was asked for by itself."""
IN_SOURCE = Extent(text=65_536, items=0, read=65_536)
"""Of a cell's code in a list of its versions."""
KEPT_ERROR = 10_000
"""Characters of an error's text that the record keeps: the notebook in which it was raised shows them all."""


def brief_values(values: Mapping[str, Any], extent: Extent) -> tuple[dict[str, Any], LeftOut]:
    """The first of `values`, texts and what else is long cut; and what that leaves out."""
    shown: dict[str, Any] = {}
    texts: dict[str, int] = {}
    for name, value in values.items():
        if len(shown) == extent.items:
            break
        if len(name) <= extent.text:
            shown[name], size = brief_value(value, extent.text)
            if size:
                texts[name] = size
    return shown, LeftOut(items=len(values) - len(shown), texts=texts)


def brief_texts(record: T, names: tuple[str, ...], most: int) -> tuple[T, LeftOut]:
    """A dataclass with these of its texts cut; and what that leaves out."""
    sizes = {name: len(text) for name in names if len(text := getattr(record, name) or "") > most}
    if not sizes:
        return record, LeftOut()
    cut: Any = {name: getattr(record, name)[: most - 1] + "…" for name in sizes}
    return replace(record, **cut), LeftOut(texts=sizes)  # type: ignore[type-var]


def brief_value(value: Any, most: int) -> tuple[Any, int]:
    """A value, or the beginning of its text (as JSON, where it is none) and how long that is; 0 where it is whole."""
    if isinstance(value, (dict, list)):
        text = dumps(value, ensure_ascii=False)
    elif isinstance(value, str):
        text = value
    else:
        return value, 0
    return (value, 0) if len(text) <= most else (f"{text[: most - 1]}…", len(text))
