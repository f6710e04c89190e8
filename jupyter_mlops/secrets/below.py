"""In an ordinary kernel: what is written below Python meets what Python prints in the order in which both came.

ipykernel has a thread that reads descriptors 1 and 2 when it gets to it, and shows what it read to the front end, and as it
stands to the terminal or log of whoever started the kernel. This stands in its place from the first secret on: it reads
before Python prints, and the terminal is shown no rest of a secret whose beginning Python printed.
"""

from __future__ import annotations

import atexit
import codecs
import contextlib
import functools
import os
import select
import threading
from typing import Any

from jupyter_mlops.secrets.known import KNOWN
from jupyter_mlops.secrets.merged import MergedStreams, Piece

_PIECE = 1 << 16
_LATE_SECONDS = 0.3
"""How long the end of what was written is held back from the terminal, where it may be the beginning of a secret."""
_CONTEXT = 1 << 12
"""Characters of what Python prints that count as what came before, for the terminal."""
_PRINTED = ""
"""The name of the stream that the terminal is not shown: Python's."""


class Below:
    """Of both streams of one kernel."""

    def __init__(self, streams: list[Any]) -> None:
        self._lock = threading.RLock()
        self._inside = False
        self._pid = os.getpid()
        self._terminal = MergedStreams()
        self._streams: dict[int, Any] = {}
        self._decoders: dict[int, Any] = {}
        self._poll = select.poll()
        for stream in streams:
            reading, writing = os.pipe()
            os.dup2(writing, stream._original_stdstream_fd)
            os.close(writing)
            os.set_blocking(reading, False)
            self._streams[reading] = stream
            self._decoders[reading] = codecs.getincrementaldecoder("utf-8")("replace")
            self._poll.register(reading, select.POLLIN)
        _patch(type(streams[0]), self)
        threading.Thread(target=self._watch, name="jupyter-mlops-below", daemon=True).start()
        atexit.register(self.close)

    def has(self, stream: Any) -> bool:
        """Whether a stream is one of these, in this process and not in one that was forked."""
        return os.getpid() == self._pid and any(each is stream for each in self._streams.values())

    def write(self, write: Any, text: Any) -> Any:
        """Python prints, by this function."""
        with self._lock:
            if self._inside or not isinstance(text, str):
                return write(text)
            self._take()
            self._inside = True
            try:
                written = write(text)
            finally:
                self._inside = False
            self._to_terminal(Piece(_PRINTED, text[-_CONTEXT:]))
            return written

    def take(self) -> None:
        """Take in what was written below by now."""
        with self._lock:
            if not self._inside:
                self._take()

    def _take(self) -> None:
        self._inside = True
        try:
            for reading in self._streams:
                with contextlib.suppress(BlockingIOError):
                    while data := os.read(reading, _PIECE):
                        self._came(reading, self._decoders[reading].decode(data))
        finally:
            self._inside = False

    def _came(self, reading: int, text: str) -> None:
        stream = self._streams[reading]
        if text and not stream.closed:
            stream.write(text)
            self._to_terminal(Piece(stream.name, text, stream))

    def _to_terminal(self, piece: Piece) -> None:
        patterns = KNOWN.patterns
        if patterns is not None:
            self._show(self._terminal.feed(patterns, piece))

    def _show(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            if piece.name != _PRINTED:
                _write(piece.rest._original_stdstream_copy, piece.text)

    def _watch(self) -> None:
        while True:
            held = bool(self._terminal.held)
            if self._poll.poll(_LATE_SECONDS * 1000 if held else None):
                self.take()
            elif KNOWN.patterns is not None:
                with self._lock:
                    self._show(self._terminal.end(KNOWN.patterns))

    def close(self) -> None:
        """Show what is on its way, and give the descriptors back."""
        if os.getpid() != self._pid:
            return
        self.take()
        with self._lock, contextlib.suppress(OSError):
            if KNOWN.patterns is not None:
                self._show(self._terminal.end(KNOWN.patterns))
            for stream in self._streams.values():
                os.dup2(stream._original_stdstream_copy, stream._original_stdstream_fd)


def _write(descriptor: int, text: str) -> None:
    data = text.encode("utf-8", "replace")
    with contextlib.suppress(OSError):  # no one reads there any more
        while data:
            data = data[os.write(descriptor, data) :]


class _Write:
    """The method `write` of a class of streams, whatever is put in its place on a stream, by IPython or by a recorder.

    Those put back what they found there, on the stream itself: only what looks before there is always asked.
    """

    def __init__(self, function: Any, below: Below) -> None:
        self._function = function
        self._below = below

    def __get__(self, stream: Any, kind: Any = None) -> Any:
        if stream is None:
            return self._function
        inner = vars(stream).get("write") or functools.partial(self._function, stream)
        return functools.partial(self._below.write, inner) if self._below.has(stream) else inner

    def __set__(self, stream: Any, function: Any) -> None:
        vars(stream)["write"] = function

    def __delete__(self, stream: Any) -> None:
        del vars(stream)["write"]


def _patch(kind: Any, below: Below) -> None:
    flush = kind.flush

    @functools.wraps(flush)
    def flushed(self: Any) -> None:
        if below.has(self):
            below.take()
        flush(self)

    kind.write, kind.flush = _Write(kind.write, below), flushed
