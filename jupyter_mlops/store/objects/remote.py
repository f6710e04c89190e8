"""Objects behind a URL, with those used here also in a folder of this machine: large values are mapped from there.

`put` returns when the object is there, so no row ever names one that is not. What is at hand here was proven when it came.
Beside writers, `collect` is safe by a mark: it is set before a last look at an object's age; a writer who finds an old
object makes it young, and only then looks for the mark. So either sees the other.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from jupyter_mlops.errors import DamagedObjectError, StoreError
from jupyter_mlops.store.files.atomic import PIECE, Chunk, discard, write_atomically
from jupyter_mlops.store.files.disk import refused
from jupyter_mlops.store.objects import signing
from jupyter_mlops.store.objects.bucket import Bucket
from jupyter_mlops.store.objects.local import Objects

YOUNG = 1800.0
"""Seconds for which an object that is there need not be renewed: less than half of what gc leaves alone."""
SURE = 600.0
"""Seconds for which this process need not ask again whether an object that it put is there."""
MARKS = "collecting"
OWNER = "owner"
_COLLECTING_SECONDS = 120.0
_RECOMPUTE = "Nothing to do: the step that made it will run again."


class RemoteObjects(Objects):
    """`folder` is the part at hand here, `url` (with the project's name below it) the store."""

    def __init__(self, folder: Path, url: str, project: str, owner: Callable[[], str | None] = lambda: None) -> None:
        super().__init__(folder)
        self._owner: Callable[[], str | None] | None = owner
        self.bucket = Bucket(f"{url}/{project}")
        self._put: dict[str, float] = {}
        self._lock = threading.Lock()

    def local(self, name: str) -> Path:
        path = self.path(name)
        if not path.is_file():
            self._bring(name)
        return path

    def __contains__(self, name: str) -> bool:
        return self.path(name).is_file() or self.is_kept(name)

    def is_kept(self, name: str) -> bool:
        return self.bucket.info(_key(name)) is not None

    def adopt(self, name: str, file: Path) -> None:
        super().adopt(name, file)
        self._send(name)

    def renew(self, name: str) -> None:
        if self.path(name).is_file():
            self._send(name)
        elif not self.is_kept(name):
            raise DamagedObjectError(f"Object {name[:12]} is missing from the store.", _RECOMPUTE)
        elif not self.bucket.refresh(_key(name)):
            self._bring(name)
            self.bucket.put(self.path(name), _key(name))

    def sign(self, name: str) -> None:
        """Told to all machines; one that was signed here and went elsewhere is told again."""
        signature = signing.sign(name)
        if self.bucket.text(_signature(name)) != signature:
            self.bucket.put_text(signature, _signature(name))
        path = self._signature_path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, [signature.encode()], sync=False)

    def names(self) -> Iterator[str]:
        yield from self.listing()

    def listing(self) -> dict[str, tuple[int, float]]:
        self._require_own()
        found = {}
        for key, facts in self.bucket.list("objects").items():
            name = key.removeprefix("objects/").replace("/", "")
            if len(name) == 64 and _HEX.issuperset(name):
                found[name] = facts
        return found

    def size(self, name: str) -> int:
        with contextlib.suppress(OSError):
            return self.path(name).stat().st_size
        return self._facts(name)[0]

    def modified(self, name: str) -> float:
        return self._facts(name)[1]

    def _facts(self, name: str) -> tuple[int, float]:
        found = self.bucket.info(_key(name))
        if found is None:
            raise DamagedObjectError(f"Object {name[:12]} is missing from the store.", _RECOMPUTE)
        return found

    def remove(self, name: str) -> None:
        super().remove(name)
        self._put.pop(name, None)
        self.bucket.remove(_signature(name))
        self.bucket.remove(_key(name))

    def collect(self, name: str, before: float) -> bool:
        """Delete the object unless it was put (again) since the time `before`; says whether it went."""
        mark = f"{MARKS}/{name}"
        self.bucket.put_text(str(time.time()), mark)
        try:
            info = self.bucket.info(_key(name))
            if info is None or info[1] >= before:
                return False
            self.remove(name)
            return True
        finally:
            self.bucket.remove(mark)

    def verify(self, name: str) -> bool:
        """Whether what is in the store itself is whole; a copy here that is not goes."""
        if not super().verify(name):
            self.path(name).unlink(missing_ok=True)
        temporary = self._temporary(name)
        try:
            return self.bucket.fetch(_key(name), temporary) and _digest(temporary) == name
        finally:
            discard(temporary)

    def set_aside(self, name: str) -> Path:
        """As with files. What is sound in the store is left there: only the copy here was damaged."""
        aside = super().set_aside(name)
        self._put.pop(name, None)
        temporary = self._temporary(name)
        try:
            if self.bucket.fetch(_key(name), temporary) and _digest(temporary) != name:
                self.bucket.remove(_key(name))
                aside.parent.mkdir(mode=0o700, exist_ok=True)
                os.replace(temporary, aside)
        finally:
            discard(temporary)
        return aside

    def send(self, name: str, path: Path) -> None:
        """Put the object from a proven file, whatever is there."""
        self.bucket.put(path, _key(name))

    def set_owner(self, owner: str) -> None:
        """Say to which index these objects belong."""
        self.bucket.put_text(owner, OWNER)

    def _require_own(self) -> None:
        """Once: objects of another index would be garbage to ours. Raises `StoreError`."""
        if self._owner is None:
            return
        owner = self._owner()
        if owner is not None:
            there = self.bucket.text(OWNER)
            if there is None:
                self.set_owner(owner)
            elif there != owner:
                raise StoreError(
                    f"The objects at '{self.bucket.url}' belong to another index.",
                    "Set MLOPS_STORE to the index they belong to, or use another project name or folder for these.",
                )
        self._owner = None

    def at_hand(self) -> dict[str, tuple[int, float]]:
        """The objects that are on this machine, with their bytes and when they were put or fetched last."""
        found = {}
        for name in super().names():
            with contextlib.suppress(OSError):
                status = self.path(name).stat()
                found[name] = status.st_size, status.st_mtime
        return found

    def forget(self, name: str) -> None:
        """Delete the copy on this machine."""
        super().remove(name)

    def _keep(self, name: str, nbytes: int, chunks: Callable[[], Iterable[Chunk]], sync: bool = True) -> None:
        super()._keep(name, nbytes, chunks, sync=False)  # the store has it, whatever becomes of this machine
        self._send(name)

    def _is_signed(self, name: str) -> bool:
        if super()._is_signed(name):
            return True
        signature = self.bucket.text(_signature(name))
        if signature is None or not signing.is_signed(name, signature):
            return False
        path = self._signature_path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, [signature.encode()], sync=False)
        return True

    def _send(self, name: str) -> None:
        """Make sure that the store has the object, young enough that no collection takes it before its row is there."""
        self._require_own()
        now = time.monotonic()
        if now - self._put.get(name, -SURE) < SURE:
            return
        key = _key(name)
        info = self.bucket.info(key)
        size = self.path(name).stat().st_size
        if info is None or info[0] != size:
            self.bucket.put(self.path(name), key)
        elif info[1] < time.time() - YOUNG:
            self._make_young(name, key)
        with self._lock:
            if len(self._put) > 10_000:
                self._put.clear()
            self._put[name] = now

    def _make_young(self, name: str, key: str) -> None:
        if not self.bucket.refresh(key):
            self.bucket.put(self.path(name), key)
        deadline = time.monotonic() + _COLLECTING_SECONDS
        while self.bucket.info(f"{MARKS}/{name}") is not None:
            if time.monotonic() > deadline:  # whoever set it was killed
                self.bucket.remove(f"{MARKS}/{name}")
                break
            time.sleep(0.2)
        if self.bucket.info(key) is None:
            self.bucket.put(self.path(name), key)

    def _bring(self, name: str) -> None:
        """Fetch the object to this machine, proven. Raises `DamagedObjectError`."""
        path, temporary = self.path(name), self._temporary(name)
        try:
            if not self.bucket.fetch(_key(name), temporary):
                raise DamagedObjectError(f"Object {name[:12]} is missing from the store.", _RECOMPUTE)
            if _digest(temporary) != name:
                aside = self.set_aside(name)
                raise DamagedObjectError(
                    f"Object {name[:12]} is damaged: its content does not match its name. It was moved to '{aside}'.",
                    _RECOMPUTE,
                )
            os.replace(temporary, path)
        except OSError as error:
            raise refused(error, f"'{path}' cannot be written", path.parent) from error
        finally:
            discard(temporary)

    def _temporary(self, name: str) -> Path:
        folder = self.path(name).parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise refused(error, f"'{folder}' cannot be made", self.folder) from error
        return folder / f".{name[2:]}.{secrets.token_hex(6)}.tmp"


def _key(name: str) -> str:
    return f"objects/{name[:2]}/{name[2:]}"


def _signature(name: str) -> str:
    return f"signatures/{name[:2]}/{name[2:]}"


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with open(file, "rb", buffering=0) as opened:
        while piece := opened.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


_HEX = frozenset("0123456789abcdef")
