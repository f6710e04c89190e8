"""Whether the index tells all that the store holds: where it does not, nothing may be removed by its word."""

from __future__ import annotations

from jupyter_mlops.errors import DamagedIndexError
from jupyter_mlops.store.store import Store


def require_sound(store: Store) -> None:
    """Raise `DamagedIndexError` where the index cannot be trusted to name everything that is needed."""
    found = [*store.index.integrity(), *map(str, store.index.unreadable())]
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise DamagedIndexError(
            f"Nothing was removed, since the index is damaged: {found[0]}{more}.",
            "`jupyter mlops store recover` puts back what can be.",
        )
