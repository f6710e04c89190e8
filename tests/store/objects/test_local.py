"""Objects: named by content, proven on reading, signed where they will be unpickled."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_mlops.errors import DamagedObjectError, NotWritableError, StoreError
from jupyter_mlops.store.files.atomic import write_atomically
from jupyter_mlops.store.objects import local as objects_module
from jupyter_mlops.store.objects import signing
from jupyter_mlops.store.objects.local import Objects, name_of


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    (tmp_path / "objects").mkdir()
    return Objects(tmp_path / "objects")


@pytest.fixture
def another_user(tmp_path: Path) -> Iterator[None]:
    """While this stands, objects are signed with another user's key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "another"))
        yield


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.binary(max_size=300), max_size=4))
def test_what_is_put_comes_back_under_the_name_of_its_content(objects: Objects, chunks: list[bytes]) -> None:
    name = objects.put(*chunks)
    assert name == hashlib.sha256(b"".join(chunks)).hexdigest()
    assert objects.get(name) == b"".join(chunks)
    assert name in objects


def test_equal_content_is_kept_once(objects: Objects) -> None:
    first = objects.put(b"ab", b"c")
    written = objects.path(first).stat()
    assert objects.put(b"abc") == first
    assert objects.path(first).stat().st_ino == written.st_ino
    assert [path.name for path in objects.path(first).parent.iterdir()] == [first[2:]]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data + b"x",
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[:-1] + bytes([data[-1] ^ 128]),
    ],
    ids=["truncated", "empty", "longer", "first bit flipped", "last bit flipped"],
)
def test_a_damaged_object_is_told_set_aside_and_can_be_put_again(objects: Objects, damage: object) -> None:
    name = objects.put(b"precious bytes", signed=True)
    path = objects.path(name)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    damaged = path.read_bytes()
    with pytest.raises(DamagedObjectError, match="damaged") as caught:
        objects.get_signed(name)
    assert "run again" in caught.value.hint
    assert name not in objects
    aside = objects.folder.parent / "damaged" / name
    assert aside.read_bytes() == damaged
    assert str(aside) in caught.value.message
    assert stat.S_IMODE(aside.parent.stat().st_mode) == 0o700
    assert objects.put(b"precious bytes", signed=True) == name
    assert objects.get_signed(name) == b"precious bytes"


def test_an_object_damaged_twice_is_set_aside_twice(objects: Objects) -> None:
    for _ in range(2):
        name = objects.put(b"precious bytes")
        objects.path(name).write_bytes(b"rubbish")
        with pytest.raises(DamagedObjectError):
            objects.get(name)
    assert objects.put(b"precious bytes") == name
    assert objects.get(name) == b"precious bytes"


def test_a_missing_object_is_told(objects: Objects) -> None:
    with pytest.raises(DamagedObjectError, match="missing"):
        objects.get("0" * 64)


def test_an_unsigned_object_is_not_loaded_as_signed(objects: Objects) -> None:
    name = objects.put(b"from who knows where")
    with pytest.raises(DamagedObjectError, match="signature"):
        objects.get_signed(name)
    assert objects.get(name) == b"from who knows where", "it is not damaged: it stays where it is"


def test_an_object_signed_by_another_user_is_not_loaded(objects: Objects, another_user: None) -> None:
    name = objects.put(b"theirs", signed=True)
    assert objects.get_signed(name) == b"theirs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(objects.folder / "mine"))
        with pytest.raises(DamagedObjectError, match="signature"):
            objects.get_signed(name)


def test_a_result_of_another_user_computed_again_by_this_one_becomes_this_ones(
    objects: Objects, another_user: None
) -> None:
    name = objects.put(b"the same bytes", signed=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(objects.folder / "mine"))
        objects.put(b"the same bytes", signed=True)
        assert objects.get_signed(name) == b"the same bytes"


def test_the_signature_of_one_object_does_not_fit_another(objects: Objects) -> None:
    good, other = objects.put(b"good", signed=True), objects.put(b"evil")
    os.replace(
        objects.path(good).with_name(objects.path(good).name + ".sig"),
        objects.path(other).with_name(objects.path(other).name + ".sig"),
    )
    with pytest.raises(DamagedObjectError, match="signature"):
        objects.get_signed(other)


def test_the_key_is_private_and_made_once(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
        first = signing.sign("a")
        assert signing.is_signed("a", first)
        assert not signing.is_signed("b", first)
        assert stat.S_IMODE(signing.key_path().stat().st_mode) == 0o600
        assert len(signing.key_path().read_bytes()) == 64
        assert signing.sign("a") == first


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("no folder")
    with pytest.raises(NotWritableError, match="cannot be made") as caught:
        Objects(tmp_path / "objects").put(b"x")
    assert caught.value.hint


def test_a_failed_write_keeps_the_old_content_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, [b"old"])

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left") as caught:
        write_atomically(path, broken())
    assert "disk space" in caught.value.hint
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_process_killed_while_it_writes_leaves_no_half_object_under_its_name(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from jupyter_mlops.store.files.atomic import write_atomically
        def chunks():
            yield b"x" * (1 << 20)
            print("half", flush=True)
            time.sleep(60)
            yield b"y"
        write_atomically(Path(sys.argv[1]) / "object", chunks())
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "object").exists()
    write_atomically(tmp_path / "object", [b"whole"])
    assert (tmp_path / "object").read_bytes() == b"whole"


def test_processes_killed_at_any_moment_of_a_put_leave_each_name_whole_or_missing(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from jupyter_mlops.store.objects.local import Objects
        objects = Objects(Path(sys.argv[1]))
        print("ready", flush=True)
        for number in range(10_000):
            objects.put(str(number).encode() * 100_000, signed=True)
    """
    folder = tmp_path / "objects"
    folder.mkdir()
    for delay in (0.01, 0.05, 0.13):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    objects = Objects(folder)
    names = [path.parent.name + path.name for path in folder.rglob("*") if path.is_file() and "." not in path.name]
    assert names
    for name in names:
        objects.get(name)


def test_a_buffer_is_kept_under_the_name_of_its_content_and_mapped_privately(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mapped in (0, 1 << 20):
        monkeypatch.setattr(objects_module, "MAPPED", mapped)
        name = objects.put_buffer(memoryview(b"some bytes"))
        assert name == hashlib.sha256(b"some bytes").hexdigest() == name_of(b"some ", b"bytes")
        view = objects.map(name)
        assert view == b"some bytes"
        view[:4] = b"SOME"
        assert objects.get(name) == b"some bytes"


def test_a_buffer_is_read_into_memory_of_its_size_only(objects: Objects) -> None:
    name = objects.put_buffer(b"some bytes")
    target = bytearray(10)
    assert objects.read_into(name, memoryview(target))
    assert target == b"some bytes"
    assert not objects.read_into(name, memoryview(bytearray(11)))
    objects.remove(name)
    with pytest.raises(DamagedObjectError, match="missing"):
        objects.read_into(name, memoryview(target))


def test_the_names_are_those_of_whole_objects(objects: Objects) -> None:
    assert list(objects.names()) == []
    names = {objects.put(b"a", signed=True), objects.put(b"b"), objects.put(b"")}
    half = objects.path(min(names)).with_name(".half.tmp")
    half.write_bytes(b"h")
    (objects.folder / "README").write_text("no folder")
    assert set(objects.names()) == names
    assert list(objects.leftovers()) == [half]
    assert list(Objects(objects.folder / "none").names()) == []


def test_an_object_is_removed_with_its_signature(objects: Objects) -> None:
    name = objects.put(b"abc", signed=True)
    assert objects.is_signed(name)
    assert objects.size(name) == 3
    objects.remove(name)
    assert name not in objects
    assert not objects.is_signed(name)
    assert list(objects.path(name).parent.iterdir()) == []
    objects.remove(name)
    for ask in (objects.size, objects.modified, objects.map):
        with pytest.raises(DamagedObjectError, match="missing"):
            ask(name)


def test_verifying_reads_the_whole_content(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects_module, "PIECE", 4)
    name = objects.put(b"precious bytes")
    assert objects.verify(name)
    objects.path(name).write_bytes(b"precious byteS")
    assert not objects.verify(name)
    objects.remove(name)
    assert not objects.verify(name)


def test_putting_again_makes_an_object_young(objects: Objects) -> None:
    name = objects.put(b"abc")
    os.utime(objects.path(name), (1, 1))
    objects.put_buffer(b"abc")
    assert objects.modified(name) > 1e9


def test_a_truncated_object_is_written_anew_when_put_again(objects: Objects) -> None:
    name = objects.put(b"precious bytes")
    objects.path(name).write_bytes(b"prec")
    assert objects.put(b"precious bytes") == name
    assert objects.get(name) == b"precious bytes"


def test_what_would_fill_the_disk_is_refused_before_a_byte_is_written(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(objects.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000_000))
    with pytest.raises(StoreError, match="1,000 MB free, and 5,000 MB are to be stored") as caught:
        objects.require_room(5_000_000_000)
    assert "disk space" in caught.value.hint
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1 << 20))
    with pytest.raises(StoreError, match="MB free"):
        objects.put_buffer(bytes(20 << 20))
    assert list(objects.names()) == []
    assert list(objects.leftovers()) == []


def test_a_disk_that_fills_while_a_buffer_is_written_leaves_nothing(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StoreError, match="No space left"):
        objects.put_buffer(b"x" * 1000)
    assert list(objects.names()) == []
    assert list(objects.leftovers()) == []
