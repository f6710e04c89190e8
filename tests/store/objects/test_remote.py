"""Objects behind a URL: there before anything names them, proven when they come, and never collected under a writer."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.registry import _registry
from s3server import S3Server

from jupyter_mlops.errors import DamagedObjectError, NotWritableError, StoreError
from jupyter_mlops.store.objects import bucket
from jupyter_mlops.store.objects.local import MAPPED, name_of
from jupyter_mlops.store.objects.remote import MARKS, RemoteObjects

Open = Callable[..., RemoteObjects]


@pytest.fixture(params=["s3", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the objects are."""
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        return server.new_bucket()
    return (tmp_path / "shared").as_uri()


@pytest.fixture
def machine(url: str, tmp_path: Path) -> Open:
    """`machine("a")` opens the same objects as another machine does."""

    def machine(name: str, owner: str | None = None) -> RemoteObjects:
        folder = tmp_path / name / "objects"
        folder.mkdir(parents=True, exist_ok=True)
        return RemoteObjects(folder, url, "churn", lambda: owner)

    return machine


def key_of(name: str) -> str:
    return f"objects/{name[:2]}/{name[2:]}"


def test_what_one_machine_puts_another_reads_and_keeps_at_hand(machine: Open) -> None:
    here, there = machine("here"), machine("there")
    name = here.put(b"values", signed=True)
    assert there.is_kept(name)
    assert name in there
    assert there.get_signed(name) == b"values"
    assert there.path(name).read_bytes() == b"values"
    large = os.urandom(MAPPED + 1)
    assert bytes(there.map(here.put_buffer(large))) == large
    target = bytearray(6)
    assert there.read_into(name, memoryview(target))
    assert target == b"values"
    assert there.size(name) == 6
    assert set(there.names()) == {name, name_of(large)}
    assert there.listing()[name] == (6, pytest.approx(time.time(), abs=60))


def test_no_name_is_given_out_before_the_object_is_there(machine: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = machine("here")

    def refuse(*_: object) -> None:
        raise OSError("the network is gone")

    monkeypatch.setattr(objects.bucket._files()[0], "put_file", refuse)
    with pytest.raises(StoreError, match="network is gone"):
        objects.put(b"values")
    monkeypatch.undo()
    name = objects.put(b"values")
    assert objects.is_kept(name), "what lies here only is not taken for stored"


def test_what_was_removed_elsewhere_is_put_again(machine: Open) -> None:
    here, there = machine("here"), machine("there")
    name = here.put(b"values", signed=True)
    there.remove(name)
    again = machine("here")
    assert again.path(name).exists()
    again.put(b"values", signed=True)
    assert there.get_signed(name) == b"values"


def test_a_missing_object_and_one_of_another_user_are_told(machine: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = machine("here"), machine("there")
    for read in (there.get, there.map, there.size, there.modified, there.renew):
        with pytest.raises(DamagedObjectError, match="missing"):
            read("0" * 64)
    assert "0" * 64 not in there
    assert not there.verify("0" * 64)
    name = here.put(b"unsigned")
    with pytest.raises(DamagedObjectError, match="signature"):
        there.get_signed(name)


def test_an_object_that_was_altered_there_is_set_aside_and_put_anew(machine: Open) -> None:
    here, there = machine("here"), machine("there")
    name = here.put(b"precious")
    here.bucket.put_text("altered!", key_of(name))
    assert not there.verify(name)
    with pytest.raises(DamagedObjectError, match="damaged"):
        there.get(name)
    assert (there.folder.parent / "damaged" / name).read_bytes() == b"altered!"
    assert not there.is_kept(name)
    assert machine("here").put(b"precious") == name
    assert there.get(name) == b"precious"


def test_a_copy_that_was_altered_here_is_fetched_again(machine: Open) -> None:
    here = machine("here")
    name = here.put(b"precious")
    here.path(name).write_bytes(b"altered!")
    with pytest.raises(DamagedObjectError, match="damaged"):
        here.get(name)
    assert here.get(name) == b"precious"
    here.path(name).write_bytes(b"altered!")
    assert here.verify(name), "the store itself is sound"
    assert here.get(name) == b"precious"


def test_an_object_is_collected_unless_it_was_put_again(machine: Open) -> None:
    here = machine("here")
    name = here.put(b"values", signed=True)
    assert not here.collect(name, time.time() - 3600)
    assert here.is_kept(name)
    assert here.collect(name, time.time() + 3600)
    assert not here.is_kept(name)
    assert not here.path(name).exists()
    assert here.bucket.list(MARKS) == {}
    assert not here.collect(name, time.time() + 3600)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["mark", "look", "delete"])
def test_a_writer_at_any_moment_of_a_collection_has_its_object_afterwards(
    machine: Open, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object is old; the writer puts it again while the collection stands before one of its calls."""
    collector, writer = machine("collector"), machine("writer")
    name = writer.put(b"values")
    first = time.time()
    monkeypatch.setattr("jupyter_mlops.store.objects.remote.YOUNG", -10.0)  # so that all is old to the writer
    writer._put.clear()
    writing = threading.Thread(target=writer.put, args=(b"values",))
    call = {"mark": "put_text", "look": "info", "delete": "remove"}[moment]
    real, begun = getattr(collector.bucket, call), []

    def called(*arguments: str) -> object:
        if not begun and threading.current_thread() is not writing:
            begun.append(True)
            time.sleep(2.1)  # so that the writer's time is another one, which S3 tells in whole seconds
            writing.start()
            writing.join(3)
        return real(*arguments)

    monkeypatch.setattr(collector.bucket, call, called)
    collector.collect(name, first + 1)
    writing.join(30)
    assert not writing.is_alive()
    assert machine("reader").get(name) == b"values"


def test_a_mark_whose_collector_was_killed_holds_no_one_up_for_ever(
    machine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = machine("here")
    name = objects.put(b"values")
    objects.bucket.put_text("", f"{MARKS}/{name}")
    monkeypatch.setattr("jupyter_mlops.store.objects.remote.YOUNG", -10.0)
    monkeypatch.setattr("jupyter_mlops.store.objects.remote._COLLECTING_SECONDS", 0.3)
    objects._put.clear()
    objects.put(b"values")
    assert objects.bucket.list(MARKS) == {}


def test_objects_of_another_index_are_not_touched(machine: Open) -> None:
    machine("here", "index one").put(b"values")
    machine("here", "index one").put(b"more values")
    for use in (lambda other: other.put(b"x"), lambda other: other.listing()):
        with pytest.raises(StoreError, match="belong to another index") as caught:
            use(machine("there", "index two"))
        assert "MLOPS_STORE" in caught.value.hint


def test_a_forked_process_has_a_connection_of_its_own(machine: Open) -> None:
    objects = machine("here")
    name = objects.put(b"values")
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if objects.is_kept(name) and objects.put(b"of the child") else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert objects.is_kept(name_of(b"of the child"))


def test_without_credentials_or_rights_the_error_says_so(machine: Open, s3: S3Server) -> None:
    missing = RemoteObjects(machine("here").folder, "s3://no-such-bucket-here", "churn")
    with pytest.raises(StoreError, match="no-such-bucket-here") as caught:
        missing.put(b"values")
    assert "MLOPS_OBJECTS" in caught.value.hint or isinstance(caught.value, NotWritableError)


@pytest.mark.parametrize("module", ["fsspec.core", "s3fs"])
def test_without_the_libraries_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setattr(bucket, "_opened", {})
    monkeypatch.delitem(_registry, "s3", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StoreError) as caught:
        RemoteObjects(tmp_path, "s3://bucket", "churn").put(b"values")
    assert "jupyter-mlops[s3]" in caught.value.hint
