"""Questions that take their turns: one of a subject at a time is worked at, and those alike that wait are answered together.

So many requests for one notebook do not keep the threads from all other work, and no answer is older than its question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class _Line:
    """Those who wait for a subject, and how many they are, with the one at work."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    count: int = 0
    waiting: dict[Hashable, asyncio.Task[Any]] = field(default_factory=dict)


class Turns:
    """Called on the event loop only."""

    def __init__(self) -> None:
        self._lines: dict[Hashable, _Line] = {}

    async def ask(self, subject: Hashable, question: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` gives, begun after this call, when it is its turn; for a like question that waits it is done once."""
        line = self._lines.setdefault(subject, _Line())
        task = line.waiting.get(question)
        if task is None:
            task = line.waiting[question] = asyncio.ensure_future(self._turn(subject, line, question, work))
        answer: T = await asyncio.shield(task)
        return answer

    async def _turn(self, subject: Hashable, line: _Line, question: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        line.count += 1
        try:
            async with line.lock:
                del line.waiting[question]  # who asks from now on asks of what comes later
                return await work()
        finally:
            line.count -= 1
            if not line.count:
                del self._lines[subject]
