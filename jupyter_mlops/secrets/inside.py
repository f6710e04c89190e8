"""Looks for secrets in files, also in what is compressed in them: archives, gzip and the like, Parquet and Arrow."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from jupyter_mlops.secrets.known import KNOWN
from jupyter_mlops.secrets.redaction import Patterns

_PIECE = 4 << 20
_OVERLAP = 1 << 16
"""Bytes of a piece that are looked at again with the next one: a secret may lie in both."""
_MOST = 1 << 30
"""Bytes after which what is compressed is looked at no further."""
_OPENERS: dict[bytes, Callable[[str], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_ZIP, _ZSTD, _PARQUET, _ARROW = b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"PAR1", b"ARROW1"
_BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)


def file_holds_secret(path: str) -> bool:
    """Whether a secret that this process has looked up is in the file. Raises `OSError`."""
    patterns = KNOWN.patterns
    if patterns is None:
        return False
    with open(path, "rb", buffering=0) as file:
        head = file.read(8)
        file.seek(0)
        if _found(patterns, _pieces(file)):
            return True
    try:
        return any(_found(patterns, pieces) for pieces in _compressed(path, head))
    except _BROKEN:
        return False  # it is not what its first bytes say


def _found(patterns: Patterns, pieces: Iterator[bytes]) -> bool:
    before, size = b"", 0
    for piece in pieces:
        if patterns.holds_bytes(before + piece):
            return True
        before, size = piece[-_OVERLAP:], size + len(piece)
        if size > _MOST:
            break
    return False


def _pieces(file: Any) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _compressed(path: str, head: bytes) -> Iterator[Iterator[bytes]]:
    """What is compressed in a file, part by part."""
    for magic, opener in _OPENERS.items():
        if head.startswith(magic):
            with opener(path) as file:
                yield _pieces(file)
    if head.startswith(_ZIP):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    yield _pieces(member)
    if head.startswith((_ZSTD, _PARQUET, _ARROW)) and "pyarrow" in sys.modules:
        yield _by_arrow(path, head)


def _by_arrow(path: str, head: bytes) -> Iterator[bytes]:
    import pyarrow

    if head.startswith(_ZSTD):
        with closing(pyarrow.input_stream(path, compression="zstd")) as stream:
            yield from _pieces(stream)
        return
    if head.startswith(_PARQUET):
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from _buffers(batch)
        return
    with pyarrow.OSFile(path) as source, pyarrow.ipc.open_file(source) as reader:
        for number in range(reader.num_record_batches):
            yield from _buffers(reader.get_batch(number))


def _buffers(batch: Any) -> Iterator[bytes]:
    for column in batch.columns:
        yield from (buffer.to_pybytes() for buffer in column.buffers() if buffer is not None)
