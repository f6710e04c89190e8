"""Brings a project's store elsewhere: into PostgreSQL, behind a URL of objects, or back into its folder.

Objects are brought first, while the store is in use. Then no one else can write until rows are brought, proven equal, and
`store.json`, which says where the store is, is replaced. Killed at any moment the store is whole in the old place or in
the new one; called again it goes on. The old place stays as a backup.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain import variables
from jupyter_mlops.domain.json_text import dumps, loads
from jupyter_mlops.domain.storage import Move
from jupyter_mlops.errors import DamagedObjectError, InputError, StoreError, UnknownNameError
from jupyter_mlops.operations.store.at_work import refuse_at_work
from jupyter_mlops.operations.store.backups import add_backup, backups
from jupyter_mlops.store.backup.mark import forget_mark
from jupyter_mlops.store.db.postgresql import PostgresqlIndex, refusal
from jupyter_mlops.store.db.sqlite import SqliteIndex
from jupyter_mlops.store.files.atomic import write_atomically
from jupyter_mlops.store.files.locks import try_file_lock
from jupyter_mlops.store.objects.local import Objects
from jupyter_mlops.store.objects.remote import RemoteObjects
from jupyter_mlops.store.project.folder import FOLDER, INDEX_FILE, find_project
from jupyter_mlops.store.project.location import (
    EMBEDDED,
    StorePlace,
    current_place,
    index_url,
    is_same,
    make_place,
    owner_of,
    place_of,
    shown_index,
    without_password,
    write_place,
)
from jupyter_mlops.store.store import Store, open_objects
from jupyter_mlops.store.transfer import whole_index
from jupyter_mlops.tracking import lock_path

OnProgress = Callable[[int, int], None]
STATE = "move.json"
ARRIVING = "index.db.arriving"
WRITER_SECONDS = 15.0
"""How long one waits for the process that feeds MLflow: it ends when it has nothing to do."""


@dataclass
class _Move:
    """One move: from where, where to, and what was brought."""

    root: Path
    folder: Path
    here: StorePlace
    target: StorePlace
    on_progress: OnProgress
    rows: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    """The objects that were brought and proven, with their bytes."""
    damaged: set[str] = field(default_factory=set)


def move_store(
    start: Path,
    targets: Sequence[str],
    *,
    on_progress: OnProgress = lambda done, total: None,
    environment: Mapping[str, str] = os.environ,
) -> Move:
    """Move the store of the project at `start`. A target is the URL of an index in PostgreSQL, one of objects, or
    "embedded". Raises `InputError` where it is there already, and `StoreError` where anything is at work in it.
    """
    root = find_project(start)
    if root is None:
        raise UnknownNameError(
            f"There is no project at or above '{start}'.", "Change to a project's folder, then try again."
        )
    folder = root / FOLDER
    with _alone(root, folder):
        here = current_place(folder, environment)
        _finish_killed(folder, here)
        move = _Move(root, folder, here, _target(root, here, targets, environment), on_progress)
        with Store(root, here) as source:
            refuse_at_work(source)
            _bring_objects(move, source.objects)
            with source.index.lock("gc"), source.index.write(durable=True) as reading:
                refuse_at_work(source, reconcile_first=False)
                _bring_objects(move, source.objects)  # those of meanwhile
                _switch(move, source, reading)
        _leave_backup(move)
        (folder / STATE).unlink(missing_ok=True)
    target = move.target
    return Move(
        index=str(folder / INDEX_FILE) if target.index is None else shown_index(target.index),
        objects_at=target.objects or str(folder / "objects"),
        rows=move.rows,
        objects=len(move.sizes),
        bytes=sum(move.sizes.values()),
        backup=tuple(each.shown() for each in backups(folder)),
        notes=tuple(_notes(move, environment)),
    )


@contextlib.contextmanager
def _alone(root: Path, folder: Path) -> Iterator[None]:
    """No other move, and no process that feeds MLflow from the old index."""
    with try_file_lock(folder / "move.lock") as free:
        if not free:
            raise StoreError("Another process is moving the store.", "Wait until it has finished, then try again.")
        deadline = time.monotonic() + WRITER_SECONDS
        while True:
            with try_file_lock(lock_path(root)) as quiet:
                if quiet:
                    yield
                    return
            if time.monotonic() > deadline:
                raise StoreError(
                    "Runs are still being logged to MLflow.",
                    "Wait until `.mlops/logs/tracking.log` says that it is done, then try again.",
                )
            time.sleep(0.2)


def _target(root: Path, here: StorePlace, targets: Sequence[str], environment: Mapping[str, str]) -> StorePlace:
    index, objects = here.index, here.objects
    for word in targets:
        if word == EMBEDDED:
            index = objects = None
        elif word.startswith("postgres"):
            index = word
        else:
            objects = word
    target = make_place(root, index, objects, here.project or None, here.id or None)
    if is_same(target.index, here.index) and target.objects == here.objects and target.project == here.project:
        raise InputError("The store is already there.", "`jupyter mlops store status` says where it is.")
    if target.index is not None and index_url(target.index) != without_password(index_url(target.index)):
        kept = index_url(shown_index(target.index))
        told = None if is_same(environment.get(variables.STORE), target.index) else refusal(kept)
        if told is not None:
            raise InputError(
                "The server needs a password, and passwords are not written into a project.",
                f"{told} Then try again.",
            )
    return target


def _bring_objects(move: _Move, source: Objects) -> None:
    """Bring all objects, each proven by its hash when it is there; those there already are proven too."""
    if move.target.objects == move.here.objects and move.target.project == move.here.project:
        return
    target = open_objects(move.target, move.folder, lambda: None)
    listing = source.listing()
    total, done = sum(size for size, _ in listing.values()), 0
    there = target.listing() if isinstance(target, RemoteObjects) else {}
    for name, (size, _) in listing.items():
        if name not in move.sizes and name not in move.damaged:
            _bring(move, source, target, name, size, is_there=there.get(name, (None, 0))[0] == size)
        done += size
        move.on_progress(done, total)


def _bring(move: _Move, source: Objects, target: Objects, name: str, size: int, *, is_there: bool) -> None:
    try:
        if not (is_there and target.verify(name)):
            path = source.local(name)
            if not Objects.verify(source, name):  # the copy here
                if isinstance(source, RemoteObjects):
                    source.forget(name)
                    path = source.local(name)
                if not Objects.verify(source, name):
                    raise DamagedObjectError(f"Object {name[:12]} is damaged.", "")
            if isinstance(target, RemoteObjects):
                target.send(name, path)
            if not target.verify(name):
                raise StoreError(f"Object {name[:12]} did not arrive unchanged.", "Run `store move` again.")
        if source.is_signed(name):
            target.sign(name)
    except DamagedObjectError:
        move.damaged.add(name)
    else:
        move.sizes[name] = size


def _switch(move: _Move, source: Store, reading: sa.Connection) -> None:
    """Bring the rows where they are to be elsewhere, and say where the store is from now on."""
    target = move.target
    if is_same(target.index, move.here.index) and target.project == move.here.project:
        _take_over(move, source.index)
        write_place(move.folder, target)
        return
    if target.index is None:
        _to_file(move, reading)
        _take_over(move, None)
        write_place(move.folder, target)
    else:
        with contextlib.closing(_to_postgresql(move, reading)) as index:
            _take_over(move, index)
            write_place(move.folder, target)
    if isinstance(source.index, PostgresqlIndex):
        source.index.set_moved(reading, _who(move.root))


def _take_over(move: _Move, index: Any) -> None:
    """The objects that are behind a URL belong to the index at the new place."""
    objects = open_objects(move.target, move.folder, lambda: None)
    if isinstance(objects, RemoteObjects):
        objects.set_owner(owner_of(move.target, index))


def _to_file(move: _Move, reading: sa.Connection) -> None:
    arriving = move.folder / ARRIVING
    for path in move.folder.glob(f"{ARRIVING}*"):
        path.unlink()
    index = SqliteIndex(arriving)
    with contextlib.closing(index):
        with index.write(durable=True) as writing:
            move.rows = whole_index.copy_rows(reading, writing)
        index.checkpoint()
    forget_mark(move.folder)
    os.replace(arriving, move.folder / INDEX_FILE)


def _to_postgresql(move: _Move, reading: sa.Connection) -> PostgresqlIndex:
    assert move.target.index is not None
    index = PostgresqlIndex(index_url(move.target.index), move.target.project, also_moved=True)
    try:
        ours = (_state(move.folder), _who(move.root))
        is_ours = index.identity() == ours[0] or index.moved_by() == ours[1]
        state = {"index": shown_index(move.target.index), "id": index.identity()}
        write_atomically(move.folder / STATE, [dumps(state).encode()])
        with index.write(durable=True) as writing:
            if not whole_index.is_empty(writing):
                if not is_ours:
                    raise StoreError(
                        f"'{index.place}' holds the runs of another project.",
                        "Choose another project name: add ?project=NAME to the URL.",
                    )
                whole_index.empty(writing)
            move.rows = whole_index.copy_rows(reading, writing)
            index.set_moved(writing, None)
    except BaseException:
        index.close()
        raise
    return index


def _state(folder: Path) -> str | None:
    """The id of an index into which a move was killed."""
    with contextlib.suppress(OSError, ValueError):
        return str(loads((folder / STATE).read_text(encoding="utf-8"))["id"])
    return None


def _who(root: Path) -> str:
    return f"{socket.gethostname()}:{root}"


def _finish_killed(folder: Path, here: StorePlace) -> None:
    """A move into PostgreSQL that was killed when all was done but putting the old index aside."""
    if here.index is not None and (folder / INDEX_FILE).exists():
        add_backup(folder, StorePlace())


def _leave_backup(move: _Move) -> None:
    add_backup(move.folder, move.here, also_index=not is_same(move.here.index, move.target.index))


def _notes(move: _Move, environment: Mapping[str, str]) -> Iterator[str]:
    if move.damaged:
        yield f"{len(move.damaged)} damaged objects were not moved: the steps that made them run again."
    try:
        place_of(move.root, move.folder, environment)
    except StoreError as error:  # from now on nothing opens it
        yield f"{error.message} Correct that setting, or nothing here will find the store."
