"""Files written by rename: a reader finds the old content or the new, nothing between."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from jupyter_mlops.store.files.disk import refused

Chunk = bytes | bytearray | memoryview

PIECE = 16 << 20
"""Large buffers are hashed and written in pieces of this many bytes, so that a full disk or an interrupt is met early."""


def write_atomically(path: Path, chunks: Iterable[Chunk], sync: bool = True) -> None:
    """Write `path` so that a reader, or (with `sync`) a power cut, finds the old content or the new, nothing between.

    Raises `NotWritableError` where the folder cannot be written, `FullDiskError` on a full disk.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "xb") as file:
            for chunk in chunks:
                for piece in pieces(chunk):
                    file.write(piece)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if sync:
            _sync_folder(path.parent)
    except OSError as error:
        raise refused(error, f"'{path}' cannot be written", path.parent) from error
    finally:
        discard(temporary)


def discard(temporary: Path) -> None:
    """Remove what is left of a file that was to be renamed. Where nothing can be removed, nothing was written either."""
    with contextlib.suppress(OSError):
        temporary.unlink()


def pieces(chunk: Chunk) -> Iterator[memoryview]:
    """A chunk in pieces of at most `PIECE` bytes."""
    view = memoryview(chunk).cast("B") if memoryview(chunk).nbytes else memoryview(b"")
    for start in range(0, view.nbytes, PIECE):
        yield view[start : start + PIECE]


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
