"""Files and folders that a step made: kept as objects of the store, and put where they were when the step is reused."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from jupyter_mlops.errors import DamagedObjectError, StoreError
from jupyter_mlops.secrets.known import KNOWN
from jupyter_mlops.store.files.atomic import discard
from jupyter_mlops.store.files.disk import refused
from jupyter_mlops.store.objects.local import Objects

LARGEST = 2 << 30
"""A larger file is not kept."""
_PIECE = 4 << 20
_FEW_BYTES = 16 << 20


def keep_files(objects: Objects, paths: Iterable[str]) -> dict[str, str]:
    """Path → name of the object with the file's bytes; a folder's path ends with a separator, and its object is empty.

    Raises `StoreError` where a file is larger than `LARGEST`, cannot be read, or changes meanwhile.
    """
    kept = {}
    for path in paths:
        try:
            status = os.stat(path)
            if stat.S_ISDIR(status.st_mode):
                kept[path.rstrip(os.sep) + os.sep] = objects.put(b"")
            elif not stat.S_ISREG(status.st_mode):
                raise StoreError(f"'{path}' is not a regular file.", "The step runs each time.")
            elif status.st_size > LARGEST:
                size = f"{status.st_size / 1e9:,.1f} GB"
                raise StoreError(f"'{path}' is {size}; files up to 2 GB are stored.", "The step runs each time.")
            elif KNOWN.patterns is not None and _holds_secret(path):
                raise StoreError(f"'{path}' holds a secret.", "The step runs each time.")
            else:
                kept[path] = _keep(objects, path, status.st_size)
        except OSError as error:
            raise StoreError(
                f"'{path}' cannot be read: {error.strerror or error}.", "The step runs each time."
            ) from error
    return kept


def _keep(objects: Objects, path: str, size: int) -> str:
    if size <= _FEW_BYTES:
        return objects.put(Path(path).read_bytes())
    digest = hashlib.sha256()
    for piece in _pieces(path):
        digest.update(piece)
    name = digest.hexdigest()
    objects.put_pieces(name, size, lambda: _proven(path, name))
    return name


def _holds_secret(path: str) -> bool:
    from jupyter_mlops.secrets.inside import file_holds_secret

    return file_holds_secret(path)


def _pieces(path: str | Path) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece


def _proven(path: str, name: str) -> Iterator[bytes]:
    """The pieces; raises `StoreError` where they do not make up `name`: nothing is put in place then."""
    digest = hashlib.sha256()
    for piece in _pieces(path):
        digest.update(piece)
        yield piece
    if digest.hexdigest() != name:
        raise StoreError(f"'{path}' changed while it was being stored.", "The step runs each time.")


def restore_files(objects: Objects, files: Mapping[str, str]) -> None:
    """Write each file that is missing or has other content, and make its folders; no reader sees half a file.

    Raises `DamagedObjectError` before anything is written where an object is missing, `NotWritableError` where the
    file system does not allow it.
    """
    differing = {}
    for path, name in files.items():
        if path.endswith(os.sep):
            continue
        if name not in objects:
            raise DamagedObjectError(f"Object {name[:12]} is missing from the store.", "The step runs again.")
        target = os.path.realpath(path)
        if not _has(target, objects, name):
            differing[target] = name
    for path in files:
        if path.endswith(os.sep):
            _make_folder(path)
    for target, name in differing.items():
        _make_folder(os.path.dirname(target))
        _write(objects, target, name)


def _has(path: str, objects: Objects, name: str) -> bool:
    """Whether the file has the object's content already."""
    try:
        if os.stat(path).st_size != objects.size(name):
            return False
        digest = hashlib.sha256()
        for piece in _pieces(path):
            digest.update(piece)
    except OSError:
        return False
    return digest.hexdigest() == name


def _make_folder(path: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        where = os.path.dirname(path.rstrip(os.sep))
        raise refused(error, f"The folder '{path}' cannot be made", where) from error


def _write(objects: Objects, target: str, name: str) -> None:
    temporary = os.path.join(os.path.dirname(target), f".{secrets.token_hex(6)}.tmp")
    digest = hashlib.sha256()
    try:
        with open(temporary, "xb") as file:
            for piece in _pieces(objects.local(name)):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != name:
            aside = objects.set_aside(name)
            raise DamagedObjectError(
                f"Object {name[:12]} is damaged. It was moved to '{aside}'.", "The step runs again."
            )
        with contextlib.suppress(OSError):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except OSError as error:
        raise refused(error, f"'{target}' cannot be written", os.path.dirname(target)) from error
    finally:
        discard(Path(temporary))
