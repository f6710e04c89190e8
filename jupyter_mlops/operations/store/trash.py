"""Deletes one object such that a writer who needs it at the same moment keeps it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from jupyter_mlops.store.files.atomic import write_atomically
from jupyter_mlops.store.files.disk import refused
from jupyter_mlops.store.objects.remote import RemoteObjects
from jupyter_mlops.store.store import Store

MARK = ".gc.tmp"


def remove_object(store: Store, name: str, before: float) -> bool:
    """Delete the object unless it was put (again) since the time `before`; says whether it went.

    Who puts it again either touches the file before it is renamed, and then it comes back, or finds it missing and
    writes it anew.
    """
    if isinstance(store.objects, RemoteObjects):
        return store.objects.collect(name, before)
    path = store.objects.path(name)
    aside = path.with_name(f".{path.name}{MARK}")
    try:
        os.rename(path, aside)
        if aside.stat().st_mtime < before:
            aside.unlink()
            _forget_signature(path)
            return True
        _return(aside, path)
    except FileNotFoundError:
        pass  # another process removed it
    except OSError as error:
        raise refused(error, f"Object {name[:12]} cannot be deleted", path.parent) from error
    return False


def redate(store: Store, name: str, time: float) -> None:
    """Make the object as old as if it had been put at `time`; elsewhere than here the clock is not ours to mend."""
    if isinstance(store.objects, RemoteObjects):
        return
    with contextlib.suppress(FileNotFoundError):
        os.utime(store.objects.path(name), (time, time))


def put_back(store: Store, needed: set[str]) -> None:
    """Bring back what a collection that was killed between two renames had aside; the rest are leftovers."""
    for aside in store.objects.leftovers():
        if aside.name.endswith(MARK):
            name = aside.parent.name + aside.name[1 : -len(MARK)]
            if name in needed:
                with contextlib.suppress(FileNotFoundError):
                    _return(aside, store.objects.path(name))


def _return(aside: Path, path: Path) -> None:
    if path.exists():
        aside.unlink()
    else:
        os.rename(aside, path)


def _forget_signature(path: Path) -> None:
    """The signature goes after its object. Who put the object again before that may have found it signed: it stays so."""
    signature = path.with_name(path.name + ".sig")
    try:
        text = signature.read_bytes()
        signature.unlink()
    except FileNotFoundError:
        return
    if path.exists():
        write_atomically(signature, [text])
