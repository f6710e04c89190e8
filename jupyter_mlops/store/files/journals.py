"""Journals: one file per run, one line of JSON per event, appended by the process that executes the run and by no other.

A line is with the system as soon as `write` returns, so that the death of any process loses none; it is proof against a
power cut from `sync` on. What the events mean is their writer's matter: see `jupyter_mlops.execution.notebook.journal`.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jupyter_mlops.store.files.disk import refused

ROOM = 256 << 10
"""Bytes of the disk that a run sets aside while it runs, so that its end can be told on a disk that is full."""
_TAIL = 64 << 10
SUFFIX = ".jsonl"
_ROOM_SUFFIX = ".room"
_OWED = "owed"
_TO_JSON = json.JSONEncoder(separators=(",", ":"), default=str).encode
_FROM_JSON = json.JSONDecoder().decode


class Journal:
    """Appends events to one file. An event that cannot be written is counted, and the run goes on without it."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)) -> None:
        self.path = path
        self.lost = 0
        """Events that could not be written."""
        self._now = now
        self._lock = threading.Lock()
        self._torn = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._file: int | None = os.open(path, flags, 0o600)
            self._end = os.fstat(self._file).st_size
        except OSError as error:
            raise refused(error, f"The journal '{path}' cannot be made", path.parent) from error
        self._room = path.with_suffix(_ROOM_SUFFIX)
        _set_aside(self._room)

    def write(self, event: str, **values: Any) -> bool:
        """Append an event; False where the disk does not take it."""
        moment = self._now().isoformat(timespec="milliseconds")
        line = _TO_JSON({"at": moment, "event": event, **values}).encode("ascii") + b"\n"
        with self._lock:
            if self._file is None:
                return False
            try:
                self._append(line)
            except OSError:
                self.lost += 1
                return False
        return True

    def _append(self, line: bytes) -> None:
        assert self._file is not None
        line = b"\n" + line if self._torn else line
        done = 0
        try:
            while done < len(line):
                done += os.write(self._file, memoryview(line)[done:])
        except OSError:
            # Half a line stays where it cannot be cut off: then the next event begins on a line of its own.
            self._torn = self._torn or done > 0
            if done:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, self._end)
                    self._torn = False
            raise
        self._torn = False
        self._end += len(line)

    def make_room(self) -> None:
        """Give back the room that was set aside: the disk is full, and what matters most is still to be written."""
        self._room.unlink(missing_ok=True)

    def sync(self) -> None:
        """Make all events so far proof against a power cut, as far as the disk takes it."""
        with self._lock, contextlib.suppress(OSError):
            if self._file is not None:
                os.fsync(self._file)

    def close(self) -> None:
        """Sync, and write no more."""
        self.sync()
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
        with contextlib.suppress(OSError):
            self.make_room()


class Journals:
    """The folder `.mlops/journals/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, run_id: str) -> Path:
        """Where the journal of a run lies."""
        return self.folder / f"{run_id}{SUFFIX}"

    def open(self, run_id: str) -> Journal:
        """The journal of a run, to be written. Raises `NotWritableError`."""
        return Journal(self.path(run_id))

    def read(self, run_id: str) -> Iterator[dict[str, Any]]:
        """The events of a run in order; none where it has no journal.

        A line that is no whole event is left out: the writer was killed, or the disk was full, when it was written.
        """
        try:
            with open(self.path(run_id), "rb") as file:
                for line in file:
                    event = _event(line)
                    if event is not None:
                        yield event
        except FileNotFoundError:
            return

    def last(self, run_id: str) -> dict[str, Any] | None:
        """The last event of a run, where it is a short one; None where there is none."""
        try:
            with open(self.path(run_id), "rb") as file:
                file.seek(-min(_TAIL, file.seek(0, os.SEEK_END)), os.SEEK_END)
                lines = file.read().splitlines()
        except OSError:
            return None
        return next((event for event in map(_event, reversed(lines)) if event is not None), None)

    def ids(self) -> Iterator[str]:
        """The runs that have a journal, in no order."""
        with contextlib.suppress(FileNotFoundError):
            for path in self.folder.iterdir():
                if path.suffix == SUFFIX:
                    yield path.stem

    def owe(self, run_id: str, not_before: datetime) -> None:
        """Note that the notebook of a run is still to be written from its journal, and when that may be tried (next)."""
        path = self.folder / _OWED / run_id
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            os.utime(path, (not_before.timestamp(),) * 2)

    def owed(self, now: datetime) -> list[str]:
        """The runs whose notebook is still to be written, and may be tried now. Costs nothing where there are none."""
        with contextlib.suppress(OSError), os.scandir(self.folder / _OWED) as entries:
            return [entry.name for entry in entries if entry.stat().st_mtime <= now.timestamp()]
        return []

    def paid(self, run_id: str) -> None:
        """Note that the notebook of a run is written, or never will be."""
        with contextlib.suppress(OSError):
            (self.folder / _OWED / run_id).unlink(missing_ok=True)

    def make_room(self, run_id: str) -> None:
        """Give back what a run that was killed had set aside."""
        self.path(run_id).with_suffix(_ROOM_SUFFIX).unlink(missing_ok=True)

    def remove(self, run_id: str) -> None:
        """Forget the journal of a run; one that is gone already is no error."""
        self.path(run_id).unlink(missing_ok=True)
        self.make_room(run_id)
        self.paid(run_id)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = _FROM_JSON(line.decode("ascii"))
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _set_aside(path: Path) -> None:
    if not hasattr(os, "posix_fallocate"):
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, ROOM)
        finally:
            os.close(descriptor)
