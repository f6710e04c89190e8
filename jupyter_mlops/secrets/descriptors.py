"""What a kernel and its child processes write below Python, on its way to the terminal or log of whoever started it."""

from __future__ import annotations

import atexit
import codecs
import contextlib
import os
import select
import threading

from jupyter_mlops.secrets.known import KNOWN
from jupyter_mlops.secrets.redaction import Stream

_PIECE = 1 << 16
_LATE_SECONDS = 0.3
"""How long the end of what was written is held back, where it may be the beginning of a secret."""


class Filtered:
    """One file descriptor: what is written to it goes through here, with names in place of secrets."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._real = os.dup(descriptor)
        self._stream = Stream()
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._pid = os.getpid()
        self._reading, writing = os.pipe()
        os.dup2(writing, descriptor, os.get_inheritable(descriptor))
        os.close(writing)
        self._thread = threading.Thread(target=self._pump, name="jupyter-mlops-output", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def _pump(self) -> None:
        while True:
            if self._stream.held and not select.select([self._reading], [], [], _LATE_SECONDS)[0]:
                self._write(self._end())
                continue
            data = os.read(self._reading, _PIECE)
            if not data:
                self._write(self._end())
                return
            self._write(self._feed(data))

    def _feed(self, data: bytes) -> str:
        patterns = KNOWN.patterns
        text = self._decoder.decode(data)
        return text if patterns is None else self._stream.feed(patterns, text)

    def _end(self) -> str:
        patterns = KNOWN.patterns
        return "" if patterns is None else self._stream.end(patterns)

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "surrogateescape")
        with contextlib.suppress(OSError):  # no one reads there any more
            while data:
                data = data[os.write(self._real, data) :]

    def close(self) -> None:
        """Give the descriptor back, and write what is on its way."""
        if os.getpid() != self._pid:
            return
        with contextlib.suppress(OSError):
            os.dup2(self._real, self._descriptor, os.get_inheritable(self._descriptor))
        self._thread.join(1.0)
