"""Brings the runs of an archive into this project: everything is proven before anything is changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from jupyter_mlops.domain.json_text import loads
from jupyter_mlops.domain.storage import Transfer
from jupyter_mlops.errors import IndexVersionError, InputError
from jupyter_mlops.store.db import schema
from jupyter_mlops.store.files.disk import refused
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.transfer import archive
from jupyter_mlops.store.transfer.archive import broken
from jupyter_mlops.store.transfer.json_rows import Row, merge, parse_row

OnProgress = Callable[[int, int], None]
LARGEST_TABLE = 1 << 30


def import_store(
    store: Store,
    file: Path,
    *,
    now: datetime,
    trust: bool = False,
    on_progress: OnProgress = lambda done, total: None,
) -> Transfer:
    """Import an archive; again changes nothing. Values are reusable where this user made the archive, or with `trust`.

    Raises `InputError` for a broken archive and `IndexVersionError` for one of a newer version, and `StoreError` where it
    cannot be read or the store not written; nothing is imported then.
    """
    staging = store.folder / f"import-{store.new_id()[:12]}"
    try:
        staging.mkdir(mode=0o700)
        manifest, tables = _stage(store, file, staging, on_progress)
        trusted = trust or archive.is_own(manifest)
        _rebase(tables["step_runs"], str(manifest.get("root", "")), str(store.root))
        with store.index.lock("gc"):  # so that none of the objects goes before its row is there
            new = _keep(store, staging, manifest, trusted)
            with store.index.write(durable=True) as connection:
                merged = merge(connection, tables, trusted=trusted)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    notes = []
    if not trusted and any(row["result"] for row in tables["step_runs"]):
        notes.append(
            "The archive is not signed by you: its results are stored, but not reused. To reuse them, import it with --trust."
        )
    return Transfer(
        archive=file,
        runs=merged.runs,
        step_runs=merged.step_runs,
        versions=merged.versions,
        objects=len(new),
        bytes=sum(new.values()),
        trusted=trusted,
        numbers=merged.numbers,
        notes=tuple(notes),
    )


def _stage(
    store: Store, file: Path, staging: Path, on_progress: OnProgress
) -> tuple[dict[str, Any], dict[str, list[Row]]]:
    """Read the whole archive, prove all of it, and lay what is new here into `staging`."""
    tables: dict[str, list[Row]] = {}
    seen: set[str] = set()
    with archive.read_archive(file) as members:
        manifest = _manifest(file, next(members, None))
        sizes: dict[str, int] = manifest["objects"]
        total, done = sum(sizes.values()), 0
        store.objects.require_room(sum(size for name, size in sizes.items() if not store.objects.is_kept(name)))
        for member, size, content in members:
            name = member.partition("/")[2]
            if member.startswith("index/"):
                table = name.removesuffix(".jsonl")
                tables[table] = _rows(file, table, content, manifest["tables"].get(table))
                continue
            if sizes.get(name) != size:
                raise broken(file, f"object {name[:12]} is not the one its manifest lists")
            _prove(file, name, size, content, None if store.objects.is_kept(name) else staging / name)
            seen.add(name)
            done += size
            on_progress(done, total)
    if seen != sizes.keys() or tables.keys() != set(archive.TABLES):
        raise broken(file, "it is incomplete")
    _check_references(file, tables)
    return manifest, tables


def _manifest(file: Path, member: tuple[str, int, IO[bytes]] | None) -> dict[str, Any]:
    if member is None or member[0] != archive.MANIFEST or member[1] > LARGEST_TABLE:
        raise InputError(f"'{file}' is not an archive of runs.", "Use a file that `jupyter mlops store export` wrote.")
    try:
        manifest = loads(member[2].read(LARGEST_TABLE))
        newer = manifest["format"] > archive.FORMAT or str(manifest["schema"]) > schema.HEAD
        shaped = (
            all(isinstance(size, int) and size >= 0 for size in manifest["objects"].values())
            and isinstance(manifest["tables"], dict)
            and set(manifest["signed"]) <= manifest["objects"].keys()
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        raise broken(file, "its manifest cannot be read") from None
    if newer:
        raise IndexVersionError(
            f"'{file}' was written by a newer version (schema {manifest['schema']}).",
            "Upgrade with `pip install -U jupyter-mlops`.",
        )
    if not shaped:
        raise broken(file, "its manifest cannot be read")
    return dict(manifest)


def _rows(file: Path, table: str, content: IO[bytes], digest: str | None) -> list[Row]:
    data = content.read(LARGEST_TABLE)
    if hashlib.sha256(data).hexdigest() != digest:
        raise broken(file, f"its table {table} was altered")
    try:
        return [parse_row(table, loads(line)) for line in data.splitlines()]
    except ValueError as error:
        raise broken(file, str(error)) from error


def _prove(file: Path, name: str, size: int, content: IO[bytes], target: Path | None) -> None:
    digest, left = hashlib.sha256(), size
    folder = file.parent if target is None else target.parent.parent
    with open(target or os.devnull, "wb") as out:
        while left and (piece := content.read(min(left, archive.PIECE))):
            digest.update(piece)
            left -= len(piece)
            with _room(folder):
                out.write(piece)
        if target is not None:
            with _room(folder):
                out.flush()
                os.fsync(out.fileno())
    if digest.hexdigest() != name:
        raise broken(file, f"object {name[:12]} was altered")


@contextlib.contextmanager
def _room(folder: Path) -> Iterator[None]:
    """A disk that is full is none of the archive's faults."""
    try:
        yield
    except OSError as error:
        raise refused(error, "Nothing was imported: the store cannot be written", folder) from error


def _check_references(file: Path, tables: dict[str, list[Row]]) -> None:
    runs = {row["id"] for row in tables["runs"]}
    if any(row["run_id"] not in runs for row in tables["step_runs"]):
        raise broken(file, "a step run belongs to no run in it")
    for name in ("runs", "step_runs"):
        ids = [row["id"] for row in tables[name]]
        if len(set(ids)) != len(ids) or not all(ids):
            raise broken(file, f"rows of {name} do not have unique ids")


def _rebase(step_runs: list[Row], old: str, new: str) -> None:
    """Files in the old project's folder are those of the same name in this one; their digests still decide on reuse."""

    def moved(path: str) -> str:
        return new + path[len(old) :] if old and (path == old or path.startswith((old + "/", old + "\\"))) else path

    for row in step_runs:
        conditions = row["conditions"]
        if conditions.get("files"):
            conditions["files"] = {moved(path): digest for path, digest in conditions["files"].items()}
        if conditions.get("folder"):
            conditions["folder"] = moved(conditions["folder"])
        if row["files"]:
            row["files"] = {moved(path): name for path, name in row["files"].items()}


def _keep(store: Store, staging: Path, manifest: dict[str, Any], trusted: bool) -> dict[str, int]:
    """Move the staged objects to their places, and sign them where they are trusted; gives what is new with its size."""
    new = {}
    for name, size in manifest["objects"].items():
        if (staging / name).exists():
            store.objects.adopt(name, staging / name)
            new[name] = size
        else:
            store.objects.renew(name)
    for name in manifest["signed"] if trusted else ():
        store.objects.sign(name)
    return new
