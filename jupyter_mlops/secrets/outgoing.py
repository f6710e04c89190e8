"""Everything that a kernel says goes through its session's `send`: from the first secret on, with names in their place.

A secret may come in pieces, of one stream or of both by turns: what may be the beginning of one is held back until the
next piece, the next display, or the cell's end.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.secrets.known import KNOWN
from jupyter_mlops.secrets.merged import MergedStreams, Piece
from jupyter_mlops.secrets.redaction import Patterns, Stream, redact_all

_LATE_SECONDS = 0.3
"""How long the end of a stream is held back when its cell has ended: a process may still be writing."""
_ENDS = {
    *("display_data", "update_display_data", "execute_result", "error", "clear_output"),
    *("execute_reply", "input_request", "shutdown_reply"),
}
"""Messages before which what was held back is sent."""


@dataclass
class _End:
    """The end of a stream that is held back, and how to send it."""

    stream: Stream = field(default_factory=Stream)
    target: Any = None
    parent: Any = None
    ident: Any = None


class Outgoing:
    """Stands before the `send` of one session."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._send = session.send
        self._lock = threading.RLock()
        self._merged = MergedStreams()
        self._ends: dict[str, _End] = {}
        self._ended = ""
        self._pid = os.getpid()

    def install(self) -> None:
        """From now on."""
        self._session.send = self.send

    def send(
        self,
        stream: Any,
        msg_or_type: Any,
        content: Any = None,
        parent: Any = None,
        ident: Any = None,
        buffers: Any = None,
        track: bool = False,
        header: Any = None,
        metadata: Any = None,
    ) -> Any:
        """As `jupyter_client.session.Session.send`."""
        patterns = KNOWN.patterns
        if isinstance(msg_or_type, str):
            message = self._session.msg(msg_or_type, content=content, parent=parent, header=header, metadata=metadata)
        else:
            message = dict(msg_or_type)
        if patterns is None:
            return self._send(stream, message, ident=ident, buffers=buffers, track=track)
        kind = str(message["header"]["msg_type"])
        if kind == "stream" and os.getpid() == self._pid:
            return self._stream(patterns, stream, message, ident)
        self._before(patterns, kind, message)
        message["content"] = redact_all(patterns, message["content"])
        message["metadata"] = redact_all(patterns, message.get("metadata"))
        buffers = buffers or message.get("buffers")
        if buffers:
            buffers = [b"<secret>" if patterns.holds_bytes(item) else item for item in buffers]
        return self._send(stream, message, ident=ident, buffers=buffers, track=track)

    def _stream(self, patterns: Patterns, target: Any, message: Any, ident: Any) -> Any:
        content, parent = message["content"], _id(message["parent_header"])
        with self._lock:
            held = self._merged.held
            if held and _id(held[-1].rest[1]["parent_header"]) != parent:
                self._let_go(patterns)
            piece = Piece(content["name"], content["text"], (target, message, ident))
            for each in self._merged.feed(patterns, piece):
                self._show(patterns, each)
            if parent == self._ended and (self._merged.held or any(end.stream.held for end in self._ends.values())):
                self._release_later()
        return message

    def _show(self, patterns: Patterns, piece: Piece) -> None:
        """Send a piece, but for its end where the stream alone may go on with a secret."""
        target, message, ident = piece.rest
        end = self._ends.setdefault(piece.name, _End())
        if end.stream.held and _id(end.parent) != _id(message["parent_header"]):
            self._release(patterns, piece.name)
        end.target, end.parent, end.ident = target, message["parent_header"], ident
        text = end.stream.feed(patterns, piece.text)
        if text:
            self._send(target, {**message, "content": {**message["content"], "text": text}}, ident=ident)

    def _let_go(self, patterns: Patterns) -> None:
        """Send all that is held back."""
        for piece in self._merged.end(patterns):
            self._show(patterns, piece)
        for name in self._ends:
            self._release(patterns, name)

    def _before(self, patterns: Patterns, kind: str, message: Any) -> None:
        """Let go of what is held back where the cell ends, or shows something else."""
        ends = kind == "status" and message["content"].get("execution_state") == "idle"
        if not ends and kind not in _ENDS:
            return
        parent = _id(message["parent_header"])
        with self._lock:
            if ends:
                self._ended = parent
            held = [piece.rest[1]["parent_header"] for piece in self._merged.held]
            held += [end.parent for end in self._ends.values() if end.stream.held]
            if any(not ends or _id(header) == parent for header in held):
                self._let_go(patterns)

    def _release(self, patterns: Patterns, name: str) -> None:
        end = self._ends[name]
        text = end.stream.end(patterns)
        if text:
            message = self._session.msg("stream", {"name": name, "text": text}, parent={"header": end.parent})
            message["parent_header"] = end.parent
            self._send(end.target, message, ident=end.ident)

    def release(self) -> None:
        """Send all that is held back."""
        patterns = KNOWN.patterns
        if patterns is None or os.getpid() != self._pid:
            return
        with self._lock:
            self._let_go(patterns)

    def _release_later(self) -> None:
        timer = threading.Timer(_LATE_SECONDS, self.release)
        timer.daemon = True
        timer.name = "jupyter-mlops-late"
        timer.start()


def _id(header: Any) -> str:
    return str((header or {}).get("msg_id", ""))
