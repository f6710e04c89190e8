"""Being asked to stop: a signal to the process that executes a notebook, a word from another thread, or one to be read."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]

HEED_SECONDS = 1.0
"""How soon a word is heard that neither a signal nor a thread of this process brings."""


class Stop:
    """Lets any thread ask one execution to stop; asked before it begins, it stops when it does.

    `word` says who asked, as a signal's name does; `cause` is "canceled", or "interrupted" where the run itself was not
    meant, but the process that executes it.
    """

    def __init__(self) -> None:
        self.word: str | None = None
        self.cause = "canceled"
        self._lock = threading.RLock()  # a signal may ask while its own thread asks or listens
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

    def ask_once(self, word: str) -> None:
        """Stop, unless that was asked already: for a word that comes by several ways, or again and again."""
        with self._lock:
            if self.word is None:
                self.ask(word)

    async def heed(self, asked: Callable[[], str]) -> None:
        """Ask now and then, beside the loop, whether the execution is to stop, until it is."""
        while self.word is None:
            await asyncio.sleep(HEED_SECONDS)
            word = await asyncio.to_thread(asked)
            if word:
                self.ask_once(word)

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
def on_stop_signal(stop: Stop) -> Iterator[None]:
    """While the block runs, a signal to stop asks `stop`, with the signal's name.

    Only the main thread may say what signals do; elsewhere, and where it runs an event loop of someone else's, nothing
    is changed. What the process ignores, such as SIGHUP under nohup, it goes on ignoring.
    """
    if threading.current_thread() is not threading.main_thread() or in_event_loop():
        yield
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        stop.ask(signal.Signals(number).name, "interrupted" if number == signal.SIGINT else "canceled")

    heard = [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_event_loop() -> bool:
    """Whether this thread runs one already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
