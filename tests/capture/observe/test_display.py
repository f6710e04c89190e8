"""What a cell showed comes back from its bytes as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_mlops.capture.observe.display import LONG, decode, encode

LONG_TEXTS = ["x" * LONG, "a\nb\r\n" * LONG, "ü\n\U0001f600" * LONG, "\ud800" * LONG, '"\\\x00' * LONG]


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"type": "stream", "name": name, "text": text}


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_events_come_back_as_they_were(kind: Any) -> None:
    shown = {"type": "display_data", "content": {"data": {"text/plain": "line\nline", "text": "a"}, "metadata": {}}}
    events = [stream("short\n\ud800"), shown]
    for text in LONG_TEXTS:
        events += [stream(text), stream("between\n", "stderr"), shown, stream(text[1:], "stderr")]
    assert decode(kind(encode(events))) == events
    assert decode(kind(encode([]))) == []
    assert decode(kind(encode(events[:2]))) == events[:2]


def test_what_was_kept_before_long_texts_were_set_apart_is_read() -> None:
    events = [stream("x\n" * LONG), {"type": "clear_output", "content": {"wait": True}}]
    assert decode(json.dumps(events, ensure_ascii=False).encode()) == events
    assert encode(events) != json.dumps(events).encode()


def test_what_is_no_json_is_told() -> None:
    with pytest.raises(TypeError):
        encode([{"type": "display_data", "content": {"data": {"x/y": object()}}}])
