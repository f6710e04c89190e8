"""Content-addressed bytes: an object's name is the SHA-256 of its content, and reading proves it.

A reader never sees half an object: temp file, fsync, rename. A damaged object is set aside, reported and never used.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from jupyter_mlops.errors import DamagedObjectError, FullDiskError, NotWritableError, StoreError
from jupyter_mlops.store.files.atomic import PIECE, Chunk, pieces, write_atomically
from jupyter_mlops.store.files.disk import refused, room_hint
from jupyter_mlops.store.objects import signing

SPARE = 32 << 20
"""Bytes of the disk that a large object leaves free, for the index and for everyone else."""
MAPPED = 16 << 20
"""From this many bytes on a buffer is mapped instead of read. Each mapping holds a file descriptor, so few are wanted."""


def name_of(*chunks: Chunk) -> str:
    """The name an object of these bytes has."""
    digest = hashlib.sha256()
    for chunk in chunks:
        for piece in pieces(chunk):
            digest.update(piece)
    return digest.hexdigest()


class Objects:
    """The folder `.mlops/objects/`. Knows bytes and names; what they mean is the callers' matter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where the object called `name` lies."""
        return Path(self._file(name))

    def _file(self, name: str) -> str:
        """The same as a text: a path costs as much as all else that is done to find a small object."""
        return os.path.join(self.folder, name[:2], name[2:])

    def local(self, name: str) -> Path:
        """A file with the object's bytes, NOT proven; it may be missing."""
        return self.path(name)

    def __contains__(self, name: str) -> bool:
        return self.path(name).is_file()

    def is_kept(self, name: str) -> bool:
        """Whether the object is in the store itself, and not only at hand on this machine."""
        return name in self

    def put(self, *chunks: Chunk, signed: bool = False) -> str:
        """Keep the bytes of all chunks in order, and return their name. With `signed` they may be unpickled later."""
        name = name_of(*chunks)
        self._keep(name, sum(memoryview(chunk).nbytes for chunk in chunks), lambda: chunks)
        if signed:
            self.sign(name)
        return name

    def put_buffer(self, buffer: Chunk, name: str | None = None, sync: bool = True) -> str:
        """Keep one large buffer; `name` where the caller knows it already from `name_of`.

        Without `sync` a power cut may lose it or leave zeros: for what is checked against a digest when it is read.
        """
        name = name or name_of(buffer)
        self._keep(name, memoryview(buffer).nbytes, lambda: [buffer], sync)
        return name

    def put_pieces(self, name: str, nbytes: int, pieces: Callable[[], Iterable[Chunk]]) -> None:
        """Keep what need not be in memory at once. `pieces` is called where it is not there yet, and has to make up
        `name`: whatever it raises, nothing is kept.
        """
        self._keep(name, nbytes, pieces)

    def adopt(self, name: str, file: Path) -> None:
        """Take a file on the store's own disk, whose content is proven to be `name`, in its place."""
        path = self.path(name)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.replace(file, path)
        except OSError as error:
            raise refused(error, f"'{path}' cannot be written", path.parent) from error

    def renew(self, name: str) -> None:
        """Make the object as young as one just put: it is needed again. Raises `DamagedObjectError`."""
        try:
            os.utime(self.path(name))
        except OSError:
            raise DamagedObjectError(f"Object {name[:12]} is missing from the store.", _RECOMPUTE) from None

    def sign(self, name: str) -> None:
        """Let the object be unpickled later, as written by this user."""
        if not self._is_signed(name):
            write_atomically(self._signature_path(name), [signing.sign(name).encode()])

    def _keep(self, name: str, nbytes: int, chunks: Callable[[], Iterable[Chunk]], sync: bool = True) -> None:
        file = self._file(name)
        with contextlib.suppress(OSError):
            if os.stat(file).st_size == nbytes:  # another size is a damaged file, which is written anew
                os.utime(file)  # as young as one just made: it is needed again
                return
        path = Path(file)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise refused(error, f"'{path.parent}' cannot be made", self.folder) from error
        self.require_room(nbytes)
        write_atomically(path, chunks(), sync)

    def require_room(self, nbytes: int) -> None:
        """Raise `StoreError` where so many bytes would fill the disk; nothing is written then."""
        if nbytes < PIECE:
            return
        try:
            free = shutil.disk_usage(self.folder if self.folder.exists() else self.folder.parent).free
        except OSError:
            return
        if free < nbytes + SPARE:
            raise FullDiskError(
                f"'{self.folder}' has {free / 1e6:,.0f} MB free, and {nbytes / 1e6:,.0f} MB are to be stored.",
                room_hint(self.folder),
            )

    def get(self, name: str) -> bytearray:
        """The bytes of the object, proven equal to what was put.

        Raises `DamagedObjectError` where they are missing or altered; an altered file is moved to `.mlops/damaged/`.
        Raises `StoreError` where they cannot be read, as `map` and `read_into` do.
        """
        with _reading(name), open(self.local(name), "rb") as file:
            data = bytearray(os.fstat(file.fileno()).st_size)
            read = file.readinto(data)
        if read != len(data) or hashlib.sha256(data).hexdigest() != name:
            aside = self.set_aside(name)
            raise DamagedObjectError(
                f"Object {name[:12]} is damaged: its content does not match its name. It was moved to '{aside}'.",
                _RECOMPUTE,
            )
        return data

    def map(self, name: str) -> memoryview:
        """The bytes of the object, private and writable, NOT proven: whoever asks must check them against a digest.

        A large one is mapped (nothing is copied until it is written to), a smaller one read.
        Raises `DamagedObjectError` where it is missing, `StoreError` where it cannot be read.
        """
        with _reading(name), open(self.local(name), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < MAPPED:
                return memoryview(bytearray(file.read()))
            if sys.version_info >= (3, 13) and os.name == "posix":
                return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY, trackfd=False))
            return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY))

    def read_into(self, name: str, target: memoryview) -> bool:
        """Fill `target` with the object's bytes, NOT proven; False where the object is of another size.

        Raises `DamagedObjectError` where it is missing, `StoreError` where it cannot be read.
        """
        with _reading(name), open(self.local(name), "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size != target.nbytes:
                return False
            done = 0
            while done < target.nbytes:  # one read gives at most 2 GB
                read = file.readinto(target[done:])
                if not read:
                    return False
                done += read
            return True

    def names(self) -> Iterator[str]:
        """Every object there is, in no order. Half-written files and signatures are no objects."""
        for folder in self._folders():
            for entry in _entries(folder):
                name = folder.name + entry.name
                if len(name) == 64 and _HEX.issuperset(name) and entry.is_file():
                    yield name

    def listing(self) -> dict[str, tuple[int, float]]:
        """Every object with its bytes and when it was put last (seconds since 1970)."""
        found = {}
        for name in self.names():
            with contextlib.suppress(DamagedObjectError):  # another process removed it just now
                status = self._stat(name)
                found[name] = status.st_size, status.st_mtime
        return found

    def leftovers(self) -> Iterator[Path]:
        """Temporary files of writes that are going on, or that were killed: old ones may be deleted."""
        for folder in self._folders():
            for entry in _entries(folder):
                if entry.name.startswith(".") and entry.name.endswith(".tmp"):
                    yield Path(entry.path)

    def size(self, name: str) -> int:
        """The object's bytes on disk. Raises `DamagedObjectError` where it is missing."""
        return self._stat(name).st_size

    def modified(self, name: str) -> float:
        """When the object was put last (seconds since 1970). Raises `DamagedObjectError` where it is missing."""
        return self._stat(name).st_mtime

    def _stat(self, name: str) -> os.stat_result:
        try:
            return self.path(name).stat()
        except OSError:
            raise DamagedObjectError(f"Object {name[:12]} is missing from the store.", _RECOMPUTE) from None

    def remove(self, name: str) -> None:
        """Delete the object and its signature; one that is gone already is no error.

        Raises `NotWritableError`, on Windows also while a process still has it mapped.
        """
        try:
            self.path(name).unlink(missing_ok=True)
            self._signature_path(name).unlink(missing_ok=True)
        except OSError as error:
            raise NotWritableError(
                f"Object {name[:12]} cannot be deleted: {error.strerror or error}.",
                "Check the permissions of the store, and close the kernels that use it.",
            ) from error

    def verify(self, name: str) -> bool:
        """Whether the object is there and its whole content has the SHA-256 it is called by."""
        digest = hashlib.sha256()
        try:
            with open(self.path(name), "rb", buffering=0) as file:
                while piece := file.read(PIECE):
                    digest.update(piece)
        except OSError:
            return False
        return digest.hexdigest() == name

    def is_signed(self, name: str) -> bool:
        """Whether this user signed the object, so that it may be unpickled."""
        return self._is_signed(name)

    def _folders(self) -> Iterator[Path]:
        for entry in _entries(self.folder):
            if len(entry.name) == 2 and entry.is_dir():
                yield Path(entry.path)

    def get_signed(self, name: str) -> bytearray:
        """As `get`, and proven to be written by this user: the only bytes that may be unpickled.

        Raises as `get`, and `DamagedObjectError` where they are not.
        """
        if not self._is_signed(name):
            raise DamagedObjectError(
                f"Object {name[:12]} does not carry your signature, so it is not loaded.",
                "It was made by another user or altered. The step that made it will run again.",
            )
        return self.get(name)

    def set_aside(self, name: str) -> Path:
        """Move a damaged object out of the way, so that the next `put` writes it anew; returns where it is now."""
        aside = self.folder.parent / "damaged" / name
        try:
            aside.parent.mkdir(mode=0o700, exist_ok=True)
            os.replace(self.path(name), aside)
        except FileNotFoundError:  # another process moved it
            return aside
        except OSError:  # another process has it mapped, or nothing can be written here
            return self.path(name)
        return aside

    def _is_signed(self, name: str) -> bool:
        try:
            with open(self._signature_file(name), encoding="ascii") as file:
                signature = file.read()
        except (OSError, UnicodeDecodeError):
            return False
        return signing.is_signed(name, signature)

    def _signature_file(self, name: str) -> str:
        return self._file(name) + ".sig"

    def _signature_path(self, name: str) -> Path:
        return Path(self._signature_file(name))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


_HEX = frozenset("0123456789abcdef")
_RECOMPUTE = "Nothing to do: the step that made it will run again."


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DamagedObjectError(f"Object {name[:12]} is missing from the store.", _RECOMPUTE) from None
    except OSError as error:
        raise StoreError(
            f"Object {name[:12]} cannot be read: {error.strerror or error}.", "Check the permissions of the store."
        ) from error
