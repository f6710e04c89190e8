"""Being asked to stop: SIGTERM or SIGINT to the process that executes a notebook, or a word from another thread."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Lets any thread ask one execution to stop; asked before it begins, it stops when it does.

    `word` says who asked, as a signal's name does; `cause` is "canceled", or "interrupted" where the run itself was not
    meant, but the process that executes it.
    """

    def __init__(self) -> None:
        self.word: str | None = None
        self.cause = "canceled"
        self._lock = threading.Lock()
        self._asked = 0
        self._tell: Callable[[str], None] | None = None

    def ask(self, word: str, cause: str = "canceled") -> None:
        """Stop; asked again, the kernel is killed at once."""
        with self._lock:
            if self.word is None:
                self.word, self.cause = word, cause
            self._asked += 1
            if self._tell is not None:
                self._tell(word)

    @contextlib.contextmanager
    def heard_by(self, loop: asyncio.AbstractEventLoop, stop: Callable[[str], None]) -> Iterator[None]:
        """While the block runs, who asks calls `stop` with the word, in the loop."""

        def tell(word: str) -> None:
            loop.call_soon_threadsafe(stop, word)

        with self._lock:
            self._tell = tell
            for _ in range(self._asked):
                tell(str(self.word))
        try:
            yield
        finally:
            with self._lock:
                self._tell = None


@contextlib.contextmanager
def on_stop_signal(loop: asyncio.AbstractEventLoop, stop: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, a signal to stop calls `stop` with the signal's name, in the loop.

    Only the main thread may say what signals do; elsewhere nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop, signal.Signals(number).name)

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
