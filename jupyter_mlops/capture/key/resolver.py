"""What the names in a piece of code stand for, as far as they lead to modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import groupby

from jupyter_mlops.analysis.code.doubts import Doubts
from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.capture.key.world import World


class Resolver:
    """Chains as written (`np.random.rand`) to what they are (`numpy.random.rand`); None where the root is a value."""

    def __init__(self, doubts: Doubts, world: World | None) -> None:
        self._aliases = dict(doubts.aliases)
        self._know: Callable[[str], ValueFacts | None] = _nothing if world is None else world.know
        self._roots: dict[str, str] = {}

    def __call__(self, chain: str) -> str | None:
        root, _, rest = chain.partition(".")
        real = self._root(root)
        return f"{real}.{rest}" if rest and real else real or None

    def _root(self, root: str) -> str:
        found = self._roots.get(root)
        if found is None:
            found = self._aliases.get(root)
            if found is None:
                known = self._know(root)
                found = known.dotted if known is not None else ""
            self._roots[root] = found
        return found

    def all_of(self, *chains: frozenset[str]) -> Iterator[str]:
        """What these chains are, in order; those whose root is a value are left out."""
        roots = self._roots
        for root, members in _by_root(chains):
            real = roots[root] if root in roots else self._root(root)
            if real:
                yield from (real + member for member in members)

    def owner_is_shared(self, chain: str) -> bool:
        """Whether what `chain` assigns into is state of a library: no name's value holds it."""
        root = chain.partition(".")[0]
        if root in self._aliases:
            return True
        known = self._know(root)
        return known is not None and (
            known.kind == "module" or (known.kind in ("class", "function") and bool(known.dotted))
        )


@lru_cache(maxsize=2048)
def _by_root(chains: tuple[frozenset[str], ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The roots of chains, in order, with what follows each."""
    found = groupby(sorted(frozenset().union(*chains)), lambda chain: chain.partition(".")[0])
    return tuple((root, tuple(chain[len(root) :] for chain in group)) for root, group in found)


def _nothing(_: str) -> None:
    return None
