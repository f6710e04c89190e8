"""Archives that are broken, cut, foreign or of a newer version: nothing is imported, and it is told."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keeping import add_result, bring, contents, export, fill

from jupyter_mlops.errors import IndexVersionError, InputError, StoreError
from jupyter_mlops.store.db import schema
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.transfer import archive
from jupyter_mlops.store.transfer.json_rows import UNTRUSTED

Members = dict[str, bytes]


def unpacked(file: Path) -> Members:
    with zipfile.ZipFile(file) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def packed(file: Path, members: Members) -> None:
    with zipfile.ZipFile(file, "w") as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)


def resealed(members: Members, **changed: Any) -> None:
    """Change the manifest, and sign it as its maker would."""
    manifest = json.loads(members[archive.MANIFEST])
    manifest.pop("signature")
    members[archive.MANIFEST] = archive.seal(manifest | changed)


def with_row(members: Members, table: str, **changed: Any) -> None:
    """Change each row of a table, such that its digest is right again."""
    member = f"index/{table}.jsonl"
    rows = [json.loads(line) | changed for line in members[member].splitlines()]
    members[member] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    tables = json.loads(members[archive.MANIFEST])["tables"]
    resealed(members, tables=tables | {table: hashlib.sha256(members[member]).hexdigest()})


def first_object(members: Members) -> str:
    return next(name for name in members if name.startswith("objects/"))


def altered_object(members: Members) -> None:
    name = first_object(members)
    members[name] = members[name][:-1] + b"!"


BROKEN: dict[str, Callable[[Members], Any]] = {
    "an altered object": altered_object,
    "a longer object": lambda members: members.update({first_object(members): b"x" * 999}),
    "a missing object": lambda members: members.pop(first_object(members)),
    "an object of no manifest": lambda members: members.update({"objects/" + "0" * 64: b"x"}),
    "an altered table": lambda members: members.update({"index/runs.jsonl": b""}),
    "a missing table": lambda members: members.pop("index/runs.jsonl"),
    "a path out of the store": lambda members: members.update({"../../evil": b"x"}),
    "an absolute path": lambda members: members.update({"/tmp/evil": b"x"}),
    "a path within": lambda members: members.update({"objects/../../index.db": b"x"}),
    "a manifest that is none": lambda members: members.update({archive.MANIFEST: b"[]"}),
    "a manifest that is cut": lambda members: members.update({archive.MANIFEST: members[archive.MANIFEST][:50]}),
    "no manifest": lambda members: members.pop(archive.MANIFEST),
    "a result that is a path": lambda members: with_row(members, "step_runs", result="../../../../etc/passwd"),
    "a file that is a path": lambda members: with_row(members, "step_runs", files={"/a": "../../evil"}),
    "a notebook that is a path": lambda members: with_row(members, "runs", notebook_object="../x"),
    "a column of no version": lambda members: with_row(members, "runs", color="blue"),
    "a number that is a text": lambda members: with_row(members, "runs", number="1; drop table runs"),
    "a status there is not": lambda members: with_row(members, "runs", status="great"),
    "inputs that are none": lambda members: with_row(members, "step_runs", inputs=[1]),
    "a time that is none": lambda members: with_row(members, "runs", created_at="yesterday"),
    "a step run of no run": lambda members: with_row(members, "step_runs", run_id="none"),
    "two rows of one identity": lambda members: with_row(members, "step_runs", id="same"),
}


@pytest.mark.parametrize("breaking", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_archive_imports_nothing(here: Store, there: Store, breaking: Callable[[Members], Any]) -> None:
    fill(here)
    file = export(here)
    members = unpacked(file)
    breaking(members)
    packed(file, members)
    before = sorted(path for path in there.root.rglob("*") if "index.db" not in path.name and path.name != "gc.lock")
    with pytest.raises(InputError) as caught:
        bring(there, file)
    assert caught.value.hint
    assert contents(there) == ([], [], set())
    after = sorted(path for path in there.root.rglob("*") if "index.db" not in path.name and path.name != "gc.lock")
    assert after == before


@pytest.mark.parametrize("name", ["runs.zip", "runs.tar", "runs.tar.gz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_an_archive_that_is_cut_short_imports_nothing(here: Store, there: Store, name: str, share: float) -> None:
    fill(here)
    add_result(here, data=os.urandom(40_000))
    file = export(here, name)
    data = file.read_bytes()
    file.write_bytes(data[: int((len(data) - (10_240 if name == "runs.tar" else 0)) * share)])
    with pytest.raises(InputError):
        bring(there, file)
    assert contents(there) == ([], [], set())


def test_links_in_an_archive_are_refused(here: Store, there: Store) -> None:
    made = add_result(here)
    members = unpacked(export(here))
    file = here.root / "links.tar"
    with tarfile.open(file, "w") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            if name.endswith(str(made.result)):
                entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, "/etc/passwd", 0
            tar.addfile(entry, io.BytesIO(data))
    with pytest.raises(InputError, match="no export writes"):
        bring(there, file)


def test_an_archive_of_a_newer_version_is_told_so(here: Store, there: Store) -> None:
    add_result(here)
    file = export(here)
    members = unpacked(file)
    resealed(members, schema="9999")
    packed(file, members)
    with pytest.raises(IndexVersionError, match="9999") as caught:
        bring(there, file)
    assert "pip install -U" in caught.value.hint
    assert schema.HEAD < "9999"


def test_a_manifest_that_was_altered_is_not_taken_for_ones_own(here: Store, there: Store) -> None:
    made = add_result(here)
    file = export(here)
    members = unpacked(file)
    manifest = json.loads(members[archive.MANIFEST])
    members[archive.MANIFEST] = json.dumps(manifest | {"root": "/elsewhere"}).encode()
    packed(file, members)
    assert not bring(there, file).trusted
    assert there.steps.run(made.id).unrepeatable == UNTRUSTED


def test_a_full_disk_imports_nothing_and_the_archive_is_not_blamed(
    here: Store, there: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(here)
    file = export(here)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left") as caught:
        bring(there, file)
    assert "Free some disk space" in caught.value.hint
    assert contents(there) == ([], [], set())
    assert list(there.folder.glob("import-*")) == []


def test_a_file_that_is_not_there_is_told(there: Store) -> None:
    with pytest.raises(InputError, match=r"no\.zip"):
        bring(there, there.root / "no.zip")
