"""A disk that can be made full or read-only: a small tmpfs where one may be mounted, and one that is played always."""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

KINDS = ["mounted", "played"]
MEGABYTES = 4


class Disk(Protocol):
    """A folder on a disk of its own."""

    root: Path

    def fill(self) -> None:
        """Let nothing more fit."""

    def free(self) -> None:
        """Let it have room, and be written, again."""

    def lock(self) -> None:
        """Let it only be read."""


class MountedDisk:
    """A tmpfs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        _mount("-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(root))

    def fill(self) -> None:
        with contextlib.suppress(OSError), open(self.root / "filler", "ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        _mount("-o", "remount,rw", str(self.root))
        (self.root / "filler").unlink(missing_ok=True)

    def lock(self) -> None:
        _mount("-o", "remount,ro", str(self.root))

    def remove(self) -> None:
        subprocess.run(["umount", "-l", str(self.root)], check=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


class PlayedDisk:
    """A folder below which opening a file to write it fails as on such a disk, and SQLite may use no more pages."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        root.mkdir()
        self._fault = 0
        opened, os_opened, connect, access = builtins.open, os.open, sqlite3.connect, os.access
        unlink = os.unlink

        def refuse(path: Any) -> None:
            if self._fault and str(path).startswith(str(root)):
                raise OSError(self._fault, os.strerror(self._fault), str(path))

        def open_file(path: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if not isinstance(path, int) and set(mode) & set("wax+"):
                refuse(path)
            return opened(path, mode, *arguments, **named)

        def open_descriptor(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR):
                refuse(path)
            return os_opened(path, flags, *arguments, **named)

        def connected(path: Any, *arguments: Any, **named: Any) -> sqlite3.Connection:
            if self._fault == errno.EROFS and str(path).startswith(str(root)):
                raise sqlite3.OperationalError("unable to open database file")
            made = connect(path, *arguments, **named)
            if self._fault == errno.ENOSPC:
                made.execute("pragma max_page_count = 1").close()
            return made

        def may(path: Any, mode: int, **named: Any) -> bool:
            locked = self._fault == errno.EROFS and mode & os.W_OK and str(path).startswith(str(root))
            return not locked and access(path, mode, **named)

        def remove(path: Any, **named: Any) -> None:
            if self._fault == errno.EROFS:
                refuse(path)  # also where there is no such file
            unlink(path, **named)

        patch.setattr(os, "access", may)
        patch.setattr(os, "unlink", remove)
        patch.setattr(builtins, "open", open_file)
        patch.setattr(os, "open", open_descriptor)
        patch.setattr(sqlite3, "connect", connected)

    def fill(self) -> None:
        self._fault = errno.ENOSPC

    def free(self) -> None:
        self._fault = 0

    def lock(self) -> None:
        self._fault = errno.EROFS

    def remove(self) -> None:
        self.free()


def may_mount(folder: Path) -> bool:
    """Whether this user may mount a tmpfs."""
    if shutil.which("mount") is None or os.name != "posix" or os.geteuid() != 0:
        return False
    try:
        MountedDisk(folder / "try").remove()
    except subprocess.CalledProcessError:
        return False
    return True


def disk_of(kind: str, folder: Path) -> Iterator[Disk]:
    """The body of a fixture. Where none may be mounted, both kinds are played."""
    with pytest.MonkeyPatch.context() as patch:
        root = folder / "disk"
        mounted = kind == "mounted" and may_mount(folder)
        disk: MountedDisk | PlayedDisk = MountedDisk(root) if mounted else PlayedDisk(root, patch)
        try:
            yield disk
        finally:
            disk.remove()
