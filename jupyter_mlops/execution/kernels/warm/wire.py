"""Frames on a stream socket: a JSON message and, beside it, buffers of bytes."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from jupyter_client.jsonutil import parse_date

_HEAD = struct.Struct("!II")
_SIZE = struct.Struct("!I")
LONG = 1 << 15
"""From so many characters on a stream's text is sent beside its message."""
_TO_JSON, _FROM_JSON = json.JSONEncoder().encode, json.JSONDecoder().decode
"""Taken at import: a notebook may put something else in the place of `json`'s functions."""


def framed(data: bytes, buffers: Sequence[Any] = ()) -> list[Any]:
    """One frame of packed JSON and its buffers, in pieces: what is long is not copied to be sent."""
    pieces: list[Any] = [_HEAD.pack(len(data), len(buffers)) + data]
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        pieces += [_SIZE.pack(len(view)), view]
    return pieces


def packed(message: object) -> bytes:
    """A message of plain JSON as a frame."""
    (frame,) = framed(_TO_JSON(message).encode("utf-8", "surrogatepass"))
    return bytes(frame)


def apart(content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """The content of a stream's message, and its text as a buffer where it is long: not written as JSON, nor read as such.

    Half a surrogate pair is replaced: ipykernel's thread fails at it, and what was printed with it is lost.
    """
    text = content["text"]
    if len(text) < LONG:
        return content, []
    return {**content, "text": ""}, [text.encode("utf-8", "replace")]


def together(content: dict[str, Any], buffers: list[bytes]) -> list[bytes]:
    """Put a text that was sent `apart` back into its content; the buffers that are left."""
    if buffers:
        content["text"] = buffers[0].decode()
    return buffers[1:]


class Frames:
    """Puts frames together from pieces as they arrive."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, piece: bytes) -> list[tuple[Any, list[bytes]]]:
        """The messages that are whole now, with their buffers."""
        self._data += piece
        messages, start = [], 0
        while (found := self._frame(start)) is not None:
            message, buffers, start = found
            messages.append((message, buffers))
        del self._data[:start]
        return messages

    def _frame(self, at: int) -> tuple[Any, list[bytes], int] | None:
        data = self._data
        if len(data) < at + _HEAD.size:
            return None
        size, count = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        end = at + size
        if len(data) < end:
            return None
        buffers: list[bytes] = []
        place = end
        for _ in range(count):
            if len(data) < place + _SIZE.size:
                return None
            (length,) = _SIZE.unpack_from(data, place)
            place += _SIZE.size
            if len(data) < place + length:
                return None
            with memoryview(data) as view, view[place : place + length] as piece:
                buffers.append(bytes(piece))
            place += length
        # As Jupyter's own sessions do: what is no UTF-8 is replaced.
        return _FROM_JSON(data[at:end].decode("utf-8", "replace")), buffers, place


def date_of(text: str) -> datetime:
    """The time that a message's header tells: what jupyter_client makes of it, in a tenth of the time."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (ValueError, AttributeError):
        return cast(datetime, parse_date(text))


def receive_first(connection: socket.socket, frames: Frames) -> list[tuple[Any, list[bytes]]]:
    """The first messages of a blocking connection, one at least; none where it ended. `frames` has begun the next."""
    while piece := connection.recv(65536):
        messages = frames.feed(piece)
        if messages:
            return messages
    return []
