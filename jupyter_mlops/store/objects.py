"""Content-addressed bytes: an object's name is the SHA-256 of its content, and reading proves it.

A reader never sees half an object: temp file, fsync, rename. A damaged object is set aside, reported and never used.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from jupyter_mlops.errors import DamagedObjectError, NotWritableError, StoreError
from jupyter_mlops.store import signing

Chunk = bytes | bytearray | memoryview


def write_atomically(path: Path, chunks: Iterable[Chunk]) -> None:
    """Write `path` so that a reader, or a power cut, finds the old content or the new, nothing between.

    Raises `NotWritableError` where the folder cannot be written, `StoreError` on a full disk.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except PermissionError as error:
        raise NotWritableError(
            f"'{path}' cannot be written: {error.strerror}.", f"Give yourself write permission on '{path.parent}'."
        ) from error
    except OSError as error:
        raise StoreError(
            f"'{path}' cannot be written: {error.strerror or error}.", "Free some disk space, then try again."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Objects:
    """The folder `.mlops/objects/`. Knows bytes and names; what they mean is the callers' matter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where the object called `name` lies."""
        return self.folder / name[:2] / name[2:]

    def __contains__(self, name: str) -> bool:
        return self.path(name).is_file()

    def put(self, *chunks: Chunk, signed: bool = False) -> str:
        """Keep the bytes of all chunks in order, and return their name. With `signed` they may be unpickled later."""
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
        name = digest.hexdigest()
        path = self.path(name)
        if not path.is_file():
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise NotWritableError(
                    f"'{path.parent}' cannot be made: {error.strerror}.", "Check permissions and free disk space."
                ) from error
            write_atomically(path, chunks)
        if signed and not self._is_signed(name):
            write_atomically(self._signature_path(name), [signing.sign(name).encode()])
        return name

    def get(self, name: str) -> bytearray:
        """The bytes of the object, proven equal to what was put.

        Raises `DamagedObjectError` where they are missing or altered; an altered file is moved to `.mlops/damaged/`.
        """
        path = self.path(name)
        try:
            with open(path, "rb") as file:
                data = bytearray(os.fstat(file.fileno()).st_size)
                read = file.readinto(data)
        except FileNotFoundError:
            raise DamagedObjectError(f"Object {name[:12]} is missing from the store.", _RECOMPUTE) from None
        if read != len(data) or hashlib.sha256(data).hexdigest() != name:
            aside = self.set_aside(name)
            raise DamagedObjectError(
                f"Object {name[:12]} is damaged: its content does not match its name. It was moved to '{aside}'.",
                _RECOMPUTE,
            )
        return data

    def get_signed(self, name: str) -> bytearray:
        """As `get`, and proven to be written by this user: the only bytes that may be unpickled."""
        if not self._is_signed(name):
            raise DamagedObjectError(
                f"Object {name[:12]} does not carry your signature, so it is not loaded.",
                "It was made by another user or altered. The step that made it will run again.",
            )
        return self.get(name)

    def set_aside(self, name: str) -> Path:
        """Move a damaged object out of the way, so that the next `put` writes it anew; returns where it is now."""
        folder = self.folder.parent / "damaged"
        folder.mkdir(mode=0o700, exist_ok=True)
        aside = folder / name
        os.replace(self.path(name), aside)
        return aside

    def _is_signed(self, name: str) -> bool:
        try:
            signature = self._signature_path(name).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return False
        return signing.is_signed(name, signature)

    def _signature_path(self, name: str) -> Path:
        path = self.path(name)
        return path.with_name(path.name + ".sig")


_RECOMPUTE = "Nothing to do: the step that made it will run again."
