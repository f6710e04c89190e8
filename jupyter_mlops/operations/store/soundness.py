"""Whether the index tells all that the store holds: where it does not, nothing may be removed by its word."""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_mlops.errors import DamagedIndexError
from jupyter_mlops.store.db.index import Index
from jupyter_mlops.store.files.journals import Journals
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.holdings import run_holdings


def require_sound(store: Store) -> None:
    """Raise `DamagedIndexError` where the index cannot be trusted to name everything that is needed."""
    found = list(faults_of(store.index, store.journals))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise DamagedIndexError(
            f"Nothing was removed, since the index is damaged: {found[0]}{more}.",
            "`jupyter mlops store recover` restores what can be restored.",
        )


def faults_of(index: Index, journals: Journals) -> Iterator[str]:
    """All that is wrong with an index: pages, references, rows, and runs that it should know."""
    told = list(journals.ids())  # before the index is asked: a run is in it before it has a journal
    yield from index.integrity()
    rows = [str(row) for row in index.unreadable()]
    yield from rows
    if not rows:
        yield from _unknown_runs(index, journals, told)


def _unknown_runs(index: Index, journals: Journals, told: list[str]) -> Iterator[str]:
    """Runs that have a journal, and a number above all that the index knows: it is an older one than they are."""
    with index.read() as connection:
        known = {run.id: run.number for run in run_holdings(connection)}
    highest = max(known.values(), default=0)
    for run_id in told:
        if run_id not in known:
            began = next(journals.read(run_id), {})
            if int(began.get("number") or 0) > highest:
                yield f"it does not contain run {began['number']}, which has a journal"
