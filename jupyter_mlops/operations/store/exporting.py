"""Writes runs, their steps' records and everything they need to an archive that another project can import."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from jupyter_mlops.domain.json_text import dumps
from jupyter_mlops.domain.storage import Transfer
from jupyter_mlops.errors import DamagedObjectError, UnknownNameError
from jupyter_mlops.operations.store.references import Closures
from jupyter_mlops.store.db import schema
from jupyter_mlops.store.db.portable import among
from jupyter_mlops.store.db.schema import runs, step_runs, step_versions
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.holdings import Holding, holdings
from jupyter_mlops.store.transfer import archive
from jupyter_mlops.store.transfer.json_rows import Row, rows_of

OnProgress = Callable[[int, int], None]


def export_store(
    store: Store,
    file: Path,
    *,
    now: datetime,
    step: str | None = None,
    run: str | None = None,
    notebook: str | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> Transfer:
    """Write what is chosen (all, where nothing is) with the runs that its reuses came from. Raises `UnknownNameError`
    where there is no such step, run or notebook, `InputError` for a file's name that is no archive's, and `StoreError` where
    the store is not sound (`DamagedObjectError`, `DamagedIndexError`) or the archive cannot be written.
    """
    wanted = None if run is None else store.runs.get(run).id
    with store.index.read() as connection:
        held = holdings(connection)
        chosen = _chosen(held, step, wanted, notebook)
        tables = _tables(connection, chosen, everything=step is None and run is None and notebook is None)
    objects, notes = _objects(store, tables, {each.id: each for each in held})
    data = {name: _lines(rows) for name, rows in tables.items()}
    manifest = {
        "format": archive.FORMAT,
        "schema": schema.HEAD,
        "made_at": now.isoformat(),
        "root": str(store.root),
        "tables": {name: hashlib.sha256(text).hexdigest() for name, text in data.items()},
        "objects": objects,
        "signed": sorted(name for name in objects if store.objects.is_signed(name)),
    }
    total, done = sum(objects.values()), 0
    with archive.write_archive(file) as writer:
        archive.add_bytes(writer, archive.MANIFEST, archive.seal(manifest))
        for name, text in data.items():
            archive.add_bytes(writer, f"index/{name}.jsonl", text)
        for name, size in objects.items():
            _add_object(store, writer, name, size)
            done += size
            on_progress(done, total)
    return Transfer(
        archive=file,
        runs=len(tables["runs"]),
        step_runs=len(tables["step_runs"]),
        versions=len(tables["step_versions"]),
        objects=len(objects),
        bytes=total,
        trusted=True,
        notes=tuple(notes),
    )


def _chosen(held: list[Holding], step: str | None, run_id: str | None, notebook: str | None) -> list[Holding]:
    if step is not None and step not in {each.step for each in held}:
        raise UnknownNameError.among("step", step, {each.step for each in held})
    if notebook is not None and notebook not in {each.notebook for each in held}:
        raise UnknownNameError.among("notebook", notebook, {each.notebook for each in held})
    by_id = {each.id: each for each in held}
    chosen: dict[str, Holding] = {}
    for each in held:
        if (
            (step is None or each.step == step)
            and (run_id is None or each.run_id == run_id)
            and (notebook is None or each.notebook == notebook)
        ):
            chosen[each.id] = each
            source = each.reused_from
            while source in by_id and source not in chosen:
                chosen[source] = by_id[source]
                source = by_id[source].reused_from
    return list(chosen.values())


def _tables(connection: sa.Connection, chosen: list[Holding], *, everything: bool) -> dict[str, list[Row]]:
    def listed(column: sa.Column[Any], values: set[str]) -> sa.ColumnElement[bool]:
        return sa.true() if everything else among(column, sorted(values))

    of_steps = rows_of(connection, "step_runs", listed(step_runs.c.id, {each.id for each in chosen}))
    of_runs = rows_of(connection, "runs", listed(runs.c.id, {each.run_id for each in chosen}))
    used = {(row["notebook"], row["step"], row["version_digest"]) for row in of_steps}
    versions = [
        row
        for row in rows_of(connection, "step_versions", listed(step_versions.c.step, {each.step for each in chosen}))
        if everything or (row["notebook"], row["step"], row["digest"]) in used
    ]
    return {"step_versions": versions, "runs": of_runs, "step_runs": of_steps}


def _objects(store: Store, tables: dict[str, list[Row]], held: dict[str, Holding]) -> tuple[dict[str, int], list[str]]:
    """All objects the rows need, with their sizes; a result that is not whole is left out of its row."""
    closures = Closures(store)
    sizes: dict[str, int] = {}
    left_out = 0
    for row in tables["step_runs"]:
        try:
            sizes |= {name: store.objects.size(name) for name in closures.of(held[row["id"]])}
        except DamagedObjectError:
            row |= {"result": None, "display": None, "files": None}
            left_out += 1
    for row in tables["runs"]:
        for column in ("notebook_object", "environment"):
            if row[column] is not None and row[column] in store.objects:
                sizes[row[column]] = store.objects.size(row[column])
    notes = [f"{left_out} results are incomplete and were left out: see `store verify`."] if left_out else []
    return dict(sorted(sizes.items())), notes


def _lines(rows: list[Row]) -> bytes:
    return b"".join(dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _add_object(store: Store, writer: archive.ArchiveWriter, name: str, size: int) -> None:
    digest = hashlib.sha256()

    class Proving:
        """Reads a file and digests what was read."""

        def read(self, count: int = -1) -> bytes:
            piece = file.read(count)
            digest.update(piece)
            return piece

    try:
        with open(store.objects.local(name), "rb") as file:
            writer.add(f"objects/{name}", Proving(), size)  # type: ignore[arg-type]
    except FileNotFoundError:
        raise DamagedObjectError(
            f"Object {name[:12]} disappeared during the export.", "Run `store export` again."
        ) from None
    if digest.hexdigest() != name:
        raise DamagedObjectError(
            f"Object {name[:12]} is damaged, so nothing was exported.",
            "Run `jupyter mlops store verify`, which sets it aside, then export again.",
        )
