"""Which objects are needed, followed from the index through the values objects to their buffers."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_mlops.capture import values
from jupyter_mlops.errors import DamagedObjectError, StoreError
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.holdings import Holding


def references_of(store: Store, name: str) -> list[str]:
    """The objects that the values object called `name` needs besides itself; none of one that is missing or damaged.

    Raises `StoreError` where it cannot be said: then nothing may be removed.
    """
    try:
        return values.references(store.objects, name)
    except (DamagedObjectError, ValueError, KeyError, TypeError) as error:
        if not store.objects.is_kept(name):  # what is damaged has been set aside
            return []
        raise StoreError(
            f"What object {name[:12]} needs cannot be read: {error}",
            "It may have been made by a newer version: upgrade with `pip install -U jupyter-mlops`.",
        ) from error


class Closures:
    """Remembers what each values object needs; an object's content never changes."""

    def __init__(self, store: Store, damaged: Iterable[str] = ()) -> None:
        """What is `damaged`, and could not be set aside, cannot say what it needs."""
        self._store = store
        self._known: dict[str, frozenset[str]] = dict.fromkeys(damaged, frozenset())

    def of(self, held: Holding) -> frozenset[str]:
        """All objects that a step run needs. Raises `StoreError` where that cannot be told."""
        if held.result is None:
            return frozenset(held.objects)
        if held.result not in self._known:
            self._known[held.result] = frozenset(references_of(self._store, held.result))
        return self._known[held.result].union(held.objects)

    def of_all(self, held: Iterable[Holding]) -> frozenset[str]:
        """All objects that any of the step runs needs. Raises `StoreError` where that cannot be told."""
        return frozenset().union(*(self.of(each) for each in held))
