"""A project's store: the index and the objects, opened together."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlops.errors import FullDiskError, NotWritableError, UnknownNameError
from jupyter_mlops.store.backup.guard import Guard
from jupyter_mlops.store.backup.mark import Mark, read_mark, write_mark
from jupyter_mlops.store.db import schema
from jupyter_mlops.store.db.index import Index
from jupyter_mlops.store.files.journals import Journals
from jupyter_mlops.store.objects.local import Objects
from jupyter_mlops.store.project.folder import (
    FOLDER,
    INDEX_FILE,
    find_project,
    make_project,
    project_for,
    relative_path,
)
from jupyter_mlops.store.project.location import StorePlace, index_url, owner_of, place_of
from jupyter_mlops.store.tables.notices import NoticeStore
from jupyter_mlops.store.tables.outbox import Outbox
from jupyter_mlops.store.tables.runs import RunStore
from jupyter_mlops.store.tables.steps import StepStore

if TYPE_CHECKING:
    from jupyter_mlops.store.tables.queue import Queue
    from jupyter_mlops.store.tables.schedules import ScheduleStore


class Store:
    """All that a project keeps in `.mlops/`. Gives out identity (`new_id`) and time (`now`)."""

    def __init__(self, root: Path, place: StorePlace | None = None, *, reading: bool = False) -> None:
        """With `reading` also where nothing can be written: then `index.refusal` says why, and so does each write."""
        self.root = root
        self.folder = root / FOLDER
        self.place = place if place is not None else place_of(root, self.folder)
        self.index: Index = open_index(self.place, self.folder, reading=reading)
        self.objects = open_objects(self.place, self.folder, lambda: owner_of(self.place, self.index))
        self.journals = Journals(self.folder / "journals")
        self.runs = RunStore(self.index)
        self.steps = StepStore(self.index)
        self.outbox = Outbox(self.index)
        self.notices = NoticeStore(self.index)

    @cached_property
    def queue(self) -> Queue:
        """Runs that wait for workers; a kernel that records steps does not load it."""
        from jupyter_mlops.store.tables.queue import Queue

        return Queue(self.index, self.runs)

    @cached_property
    def schedules(self) -> ScheduleStore:
        """The schedules; a kernel that records steps does not load them."""
        from jupyter_mlops.store.tables.schedules import ScheduleStore

        return ScheduleStore(self.index)

    @classmethod
    def open(cls, start: Path, *, create: bool = True) -> Store:
        """The store of the project that `start` lies in. Raises as `jupyter_mlops.store.open_store`.

        Raises `UnknownNameError` where there is none and, with `create=False`, none is to be made.
        """
        root = project_for(start) if create else find_project(start)
        if root is None:
            raise UnknownNameError(
                f"There is no project at or above '{start}'.",
                "A project is made on first use: run a notebook with a %%step, or `jupyter mlops demo`.",
            )
        try:
            make_project(root)
        except (NotWritableError, FullDiskError):
            if create:
                raise
        return cls(root, reading=not create)

    def now(self) -> datetime:
        """Aware UTC time."""
        return datetime.now(timezone.utc)

    def new_id(self) -> str:
        """A fresh identity: 32 hex digits."""
        return uuid.uuid4().hex

    def relative(self, path: Path | str) -> str:
        """`path` as the index names it: relative to the project, with forward slashes."""
        return relative_path(self.root, Path(path))

    def close(self) -> None:
        """Give the connections back."""
        self.index.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_index(place: StorePlace, folder: Path, *, reading: bool = False) -> Index:
    """The index at `place`; made or brought up to date where need be. With `reading` one that cannot be written will do."""
    if place.index is None:
        from jupyter_mlops.store.db.sqlite import SqliteIndex

        return SqliteIndex(folder / INDEX_FILE, reading=reading, guard=Guard(folder / INDEX_FILE))
    from jupyter_mlops.store.db.postgresql import PostgresqlIndex

    known = read_mark(folder)
    index = PostgresqlIndex(index_url(place.index), place.project, known_at=known.place if known is not None else "")
    if known is None or known.place != index.place:
        write_mark(folder, Mark(index.identity(), schema.HEAD, place=index.place))
    return index


def open_objects(place: StorePlace, folder: Path, owner: Callable[[], str | None]) -> Objects:
    """The objects at `place`, which belong to `owner`. Nothing is asked for there yet."""
    if place.objects is None:
        return Objects(folder / "objects")
    from jupyter_mlops.store.objects.remote import RemoteObjects

    return RemoteObjects(folder / "objects", place.objects, place.project, owner)
