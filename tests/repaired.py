"""What a later look at a project's first run finds and owes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from jupyter_mlops.domain.run import Run
from jupyter_mlops.jobs.recovery.reconcile import reconcile
from jupyter_mlops.store.store import Store

WHILE = timedelta(minutes=10)
"""Longer than any pause between two tries."""


def reconciled(root: Path, after: timedelta = WHILE) -> Run:
    """The run after a look at what is to be done, a while from now."""
    with Store.open(root) as store:
        reconcile(store, now=store.now() + after)
        return store.runs.get(1)


def owed(root: Path) -> list[str]:
    """The runs whose notebooks are still to be written."""
    with Store.open(root) as store:
        return store.journals.owed(store.now() + 2 * WHILE)
