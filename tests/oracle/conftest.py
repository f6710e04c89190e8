"""Zygotes for these tests: two pairs, so that two cases are played at once."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from .kernels import Zygote
from .running import Findings, try_trap
from .traps import TRAPS

Pair = tuple[Zygote, Zygote]


class Pairs:
    """Pairs of zygotes, lent out."""

    def __init__(self, pairs: list[Pair]) -> None:
        self.all = pairs
        self._free: queue.SimpleQueue[Pair] = queue.SimpleQueue()
        for pair in pairs:
            self._free.put(pair)

    @contextmanager
    def one(self) -> Iterator[Pair]:
        pair = self._free.get()
        try:
            yield pair
        finally:
            self._free.put(pair)


@pytest.fixture(scope="session")
def pairs(own_jupyter_folders: None) -> Iterator[Pairs]:
    """Two pairs of processes that fork kernels; the two of a pair hash strings differently, as two real kernels do."""
    with closing(Zygote(1)) as a, closing(Zygote(2)) as b, closing(Zygote(1)) as c, closing(Zygote(2)) as d:
        yield Pairs([(a, b), (c, d)])


@pytest.fixture(scope="session")
def findings(pairs: Pairs, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Findings]]]:
    """Trap → what was wrong with it: all that were chosen are played beside the tests, two at a time."""

    def one(name: str) -> Findings:
        with pairs.one() as pair:
            return try_trap(by_name[name], pair)

    by_name = {trap.name: trap for trap in TRAPS}
    chosen = [item.callspec.params["trap"].name for item in request.session.items if _is_trap(item)]
    with ThreadPoolExecutor(len(pairs.all)) as pool:
        yield {name: pool.submit(one, name) for name in chosen}
        pool.shutdown(cancel_futures=True)


def _is_trap(item: pytest.Item) -> bool:
    return "trap" in getattr(getattr(item, "callspec", None), "params", {})
