"""Archives of runs: a zip or tar of a manifest, rows as JSON lines and objects by name. Nothing is ever extracted by path.

Layout: `manifest.json`, `index/TABLE.jsonl`, `objects/NAME`. The manifest has the digest of each table and the size of each
object, and is signed by who made it, as pickled values are.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import secrets
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.errors import InputError, StoreError
from jupyter_mlops.store.files.atomic import discard
from jupyter_mlops.store.files.disk import refused
from jupyter_mlops.store.objects import signing

FORMAT = 1
MANIFEST = "manifest.json"
TABLES = ("step_versions", "runs", "step_runs")
PIECE = 1 << 20
_MEMBER = re.compile(rf"{re.escape(MANIFEST)}|index/({'|'.join(TABLES)})\.jsonl|objects/[0-9a-f]{{64}}")
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError)


class ArchiveWriter(Protocol):
    """Takes members one after the other."""

    def add(self, name: str, file: IO[bytes], size: int) -> None:
        """Add a member of `size` bytes."""


class _ZipWriter:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(self, name: str, file: IO[bytes], size: int) -> None:
        with self._archive.open(zipfile.ZipInfo(name), "w", force_zip64=size > 2**31 - 1) as member:
            while piece := file.read(PIECE):
                member.write(piece)


class _TarWriter:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def add(self, name: str, file: IO[bytes], size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size = size
        self._archive.addfile(member, file)


@contextlib.contextmanager
def write_archive(path: Path) -> Iterator[ArchiveWriter]:
    """Write an archive of the kind that the name says; it takes its place when it is whole.

    Raises `InputError` for another name, `StoreError` where it cannot be written.
    """
    name = path.name.lower()
    if not name.endswith((".zip", ".tar", ".tar.gz", ".tgz")):
        raise InputError(
            f"'{path.name}' does not have the name of an archive.", "Use a name that ends in .zip, .tar or .tar.gz."
        )
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "xb") as file:
            if name.endswith(".zip"):
                with zipfile.ZipFile(file, "w") as archive:
                    yield _ZipWriter(archive)
            else:
                mode = "w" if name.endswith(".tar") else "w:gz"
                with tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload]
                    yield _TarWriter(tar)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise refused(error, f"'{path}' cannot be written", path.parent) from error
    finally:
        discard(temporary)


@contextlib.contextmanager
def read_archive(path: Path) -> Iterator[Iterator[tuple[str, int, IO[bytes]]]]:
    """The members of an archive in their order: name, size, content. Raises `InputError` for anything that is no export.

    Raises `StoreError` where the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as archive:
                    yield _checked(_zip_members(archive), path)
            else:
                file.seek(0)
                with tarfile.open(fileobj=file, mode="r:*") as tar:
                    yield _checked(_tar_members(tar), path)
    except FileNotFoundError:
        raise InputError(f"There is no file '{path}'.", "Give an archive that `store export` wrote.") from None
    except _BROKEN as error:
        raise broken(path, str(error) or type(error).__name__) from error
    except OSError as error:
        raise StoreError(f"'{path}' cannot be read: {error.strerror or error}.", "Check its permissions.") from error


def broken(path: Path, why: str) -> InputError:
    """The error for an archive that is not what an export writes."""
    return InputError(f"'{path}' cannot be imported: {why}.", "Nothing was imported. Export it again.")


def _zip_members(archive: zipfile.ZipFile) -> Iterator[tuple[str, int, IO[bytes] | None]]:
    for member in archive.infolist():
        with archive.open(member) as file:
            yield member.filename, member.file_size, file


def _tar_members(archive: tarfile.TarFile) -> Iterator[tuple[str, int, IO[bytes] | None]]:
    for member in archive:
        yield member.name, member.size, archive.extractfile(member) if member.isreg() else None


def _checked(members: Iterator[tuple[str, int, IO[bytes] | None]], path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    seen = set()
    for name, size, file in members:
        if file is None or not _MEMBER.fullmatch(name):
            raise broken(path, f"it contains '{name}', which no export writes")
        if name in seen:
            raise broken(path, f"it contains '{name}' twice")
        seen.add(name)
        yield name, size, file


def seal(manifest: dict[str, Any]) -> bytes:
    """The manifest as bytes, with this user's signature."""
    return dumps({**manifest, "signature": signing.sign(_digest(manifest))}, indent=1).encode()


def is_own(manifest: dict[str, Any]) -> bool:
    """Whether this user made the archive, and its manifest is as it was then."""
    content = {name: value for name, value in manifest.items() if name != "signature"}
    return signing.is_signed(_digest(content), str(manifest.get("signature")))


def _digest(manifest: dict[str, Any]) -> str:
    text = dumps(manifest, sort_keys=True, ensure_ascii=True)
    return "export:" + hashlib.sha256(text.encode()).hexdigest()


def add_bytes(writer: ArchiveWriter, name: str, data: bytes) -> None:
    """Add a small member."""
    writer.add(name, io.BytesIO(data), len(data))
