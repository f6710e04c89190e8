"""Holds an index in the project's folder against what is known of it outside: a lost or older one is refused."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import DamagedIndexError
from jupyter_mlops.store.backup.logbook import append
from jupyter_mlops.store.backup.mark import Mark, lost, missing_bytes, read_mark, traces, write_mark

STATE = (
    "select version_num, (select application_id from pragma_application_id),"
    " (select coalesce(max(seq), 0) from sqlite_sequence where name = 'outbox'),"
    " (select coalesce(max(number), 0) from runs) from alembic_version"
)
"""A question whose answer makes a `Mark`."""


class Guard:
    """Of one index: what its file must look like, and what must stand in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        self._written: Mark | None = None

    def require_file(self, *, whole: bool = False) -> None:
        """Raise `DamagedIndexError` where the file is missing or empty (with `whole`, or cut off), and there was an index."""
        try:
            size = self.path.stat().st_size
        except OSError:
            what = "is missing, but this project had one"
        else:
            what = "" if size else "is empty, but this project had one"
            if size and whole:
                what = missing_bytes(self.path)
        if what and any(traces(self.folder)):
            raise lost(self.folder, what)

    def require_tables(self) -> None:
        """The same of a database without any table."""
        if any(traces(self.folder)):
            raise lost(self.folder, "contains no tables, but this project had an index")

    def known(self) -> Mark | None:
        """What is known of the index. To be asked before the index is: while it is asked, others may add to both."""
        return read_mark(self.folder)

    def require_newest(self, found: Mark, known: Mark | None) -> Mark | None:
        """Raise `DamagedIndexError` where the index is an older copy, or another one. Gives what is to be kept of it from
        now on; None where that is known.
        """
        if known is None or known.place:
            return found
        if known.id != found.id:
            raise lost(self.folder, "is not the one that belongs to this project")
        if found.posted < known.posted:
            raise self._older(found, known)
        return None

    def _older(self, found: Mark, known: Mark) -> DamagedIndexError:
        return lost(
            self.folder,
            f"is older than this project: {known.posted - found.posted} changes are missing, and the last run in it is"
            f" {found.runs}",
        )

    def keep(self, mark: Mark | None, noted: list[tuple[str, dict[str, Any]]]) -> None:
        """Know this of the index from now on, and what was noted within the transaction that was just committed."""
        if noted:
            append(self.folder, noted)
        if mark is not None and mark != self._written:
            write_mark(self.folder, mark)
            self._written = mark


def new_id() -> int:
    """An application id that no other index has, but by chance."""
    return secrets.randbelow(2**31 - 1) + 1
