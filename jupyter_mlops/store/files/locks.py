"""A lock between processes that the operating system lets go of when its holder dies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from jupyter_mlops.store.files.disk import refused

if os.name == "posix":
    import fcntl

    def _acquire(descriptor: int, wait: bool) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

else:  # pragma: no cover
    import importlib

    msvcrt = importlib.import_module("msvcrt")

    def _acquire(descriptor: int, wait: bool) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True


@contextlib.contextmanager
def try_file_lock(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of `path` while the block runs; yields whether it was got (always, with `wait`)."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise refused(error, f"'{path}' cannot be written", path.parent) from error
    try:
        yield _acquire(descriptor, wait)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the lock of `path` while the block runs, waiting for it."""
    with try_file_lock(path, wait=True):
        yield
