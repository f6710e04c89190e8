"""A notebook's JSON, as nbformat writes it, in a fifth of the time: an executed notebook is written twice in every run.

nbformat copies the whole notebook, and Python's own encoder indents in Python, value by value, through generators.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring
from typing import Any

_OF_NOTEBOOK = ("orig_nbformat", "orig_nbformat_minor", "signature")
_OF_CELL = ("trusted",)
"""What nbformat keeps in memory only."""
_SPLIT = ("application/javascript", "image/svg+xml")


def json_of(notebook: Mapping[str, Any]) -> str:
    """The text of `nbformat.v4.writes(notebook)` and a line's end. Raises `TypeError` for what is no JSON."""
    pieces: list[str] = []
    told = {**notebook, "metadata": _without(notebook["metadata"], _OF_NOTEBOOK)}
    _put({**told, "cells": [_cell(cell) for cell in notebook["cells"]]}, "\n", pieces.append)
    pieces.append("\n")
    return "".join(pieces)


def _cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    made = {**cell, "metadata": _without(cell["metadata"], _OF_CELL)}
    if isinstance(cell.get("source"), str):
        made["source"] = cell["source"].splitlines(True)
    if "attachments" in cell:
        made["attachments"] = {name: _bundle(bundle) for name, bundle in cell["attachments"].items()}
    if cell["cell_type"] == "code":
        made["outputs"] = [_output(output) for output in cell["outputs"]]
    return made


def _output(output: Mapping[str, Any]) -> Mapping[str, Any]:
    if output["output_type"] in ("execute_result", "display_data") and "data" in output:
        return {**output, "data": _bundle(output["data"])}
    if output["output_type"] == "stream" and isinstance(output["text"], str):
        return {**output, "text": output["text"].splitlines(True)}
    return output


def _bundle(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: value.splitlines(True)
        if isinstance(value, str) and (kind.startswith("text/") or kind in _SPLIT)
        else value
        for kind, value in data.items()
    }


def _without(metadata: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    return {key: value for key, value in metadata.items() if key not in names}


def _put(value: Any, margin: str, put: Callable[[str], None]) -> None:
    """Give the pieces of a value's text; `margin` is what a line of it begins with, the line's end before included."""
    kind = type(value)
    if kind is str:
        put(encode_basestring(value))
    elif kind in _PLAIN:
        put(_PLAIN[kind](value))
    elif isinstance(value, dict) and value and set(map(type, value)) == {str}:
        inner = margin + " "
        lead = "{" + inner
        for key in sorted(value):
            put(f"{lead}{encode_basestring(key)}: ")
            _put(value[key], inner, put)
            lead = "," + inner
        put(margin + "}")
    elif isinstance(value, (list, tuple)) and value:
        inner = margin + " "
        if set(map(type, value)) == {str}:  # the lines of a cell, of which there may be millions
            put("[" + inner + ("," + inner).join(map(encode_basestring, value)) + margin + "]")
            return
        lead = "[" + inner
        for item in value:
            put(lead)
            _put(item, inner, put)
            lead = "," + inner
        put(margin + "]")
    else:
        put(_usual(value).replace("\n", margin))


_PLAIN: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    float: lambda value: float.__repr__(value) if math.isfinite(value) else _usual(value),
}


def _usual(value: object) -> str:
    """By Python's own encoder: what is empty, no number, or has keys that are no texts."""
    if isinstance(value, (dict, list)) and not value:
        return "{}" if isinstance(value, dict) else "[]"
    return json.dumps(value, indent=1, sort_keys=True, separators=(",", ": "), ensure_ascii=False, default=_ascii)


def _ascii(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii")
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
