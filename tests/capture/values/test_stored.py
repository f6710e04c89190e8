"""Stored values on disk: content-addressed, lazy, proven when read, whole or not there at all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from jupyter_mlops.capture.values import Values, components, pack, references, write
from jupyter_mlops.errors import DamagedObjectError, StoreError
from jupyter_mlops.store.objects import local as objects_module
from jupyter_mlops.store.objects.local import Objects

from .values_store import store


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return store(tmp_path)


def put(objects: Objects, *components: dict[str, Any]) -> str:
    packed = pack(components, {})
    assert packed.failed == {}
    return write(objects, packed)


def bytes_on_disk(objects: Objects) -> int:
    return sum(objects.size(name) for name in objects.names())


@pytest.mark.parametrize(
    "value", [0, -(10**40), 1.5, float("nan"), 1j, True, None, "", "grüß\ud800", "__main__", b"\0" * 9]
)
def test_a_small_plain_value_is_packed_as_the_pickler_would(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def pieces() -> list[bytes]:
        (component,) = pack([{"name": value}], {}).components
        assert (component.names, component.foreign, component.leads) == (("name",), 0, [])
        return [bytes(part.peek()) for part in component.parts()]

    quick = pieces()
    monkeypatch.setattr(components, "SMALL", 0)
    monkeypatch.setattr(components, "PLAIN", frozenset())
    assert pieces() == quick


GROWTH: dict[str, Callable[[pd.DataFrame, int], pd.DataFrame]] = {
    "assigned in place": lambda frame, n: frame.__setitem__(f"x{n}", frame["x0"] * n) or frame,
    "assigned to a copy": lambda frame, n: frame.assign(**{f"x{n}": frame["x0"] * n}),
    "deep copies": lambda frame, n: frame.assign(**{f"x{n}": frame["x0"] * n}).copy(),
    "texts": lambda frame, n: frame.assign(**{f"x{n}": [f"{n} {row}" for row in range(len(frame))]}),
    "python texts": lambda frame, n: frame.assign(
        **{f"x{n}": np.array([f"{n} {row}" for row in range(len(frame))], dtype=object)}
    ),
    "put in front": lambda frame, n: frame.insert(0, f"x{n}", frame["x0"] * n) or frame,
}


@pytest.mark.parametrize("growth", GROWTH)
def test_a_frame_that_gains_a_column_in_each_of_20_versions_is_stored_in_little_more_than_its_columns(
    objects: Objects, growth: str
) -> None:
    frame = pd.DataFrame({"x0": np.random.default_rng(0).random(30_000), "k": np.arange(30_000)})
    names, versions = [], []
    for number in range(1, 21):
        frame = GROWTH[growth](frame, number)
        names.append(put(objects, {"frame": frame}))
        versions.append(frame.copy())
    unique = frame.memory_usage(deep="python" not in growth).sum()
    if growth == "python texts":
        unique = (
            frame[["x0", "k"]].memory_usage().sum()
            + 20 * 30_000 * 8
            + sum(frame[f"x{n}"].str.len().sum() for n in range(1, 21))
        )
    assert bytes_on_disk(objects) < 1.2 * unique
    for name, version in zip(names, versions, strict=True):
        pd.testing.assert_frame_equal(Values.open(objects, name, {}).load(["frame"])["frame"], version)


def test_equal_buffers_are_stored_once(objects: Objects) -> None:
    array = np.arange(100_000.0)
    put(objects, {"a": array}, {"b": array.copy()}, {"series": pd.Series(array)})
    assert bytes_on_disk(objects) < 1.05 * array.nbytes


def test_small_values_are_one_object(objects: Objects) -> None:
    put(objects, *({f"v{number}": np.arange(number)} for number in range(50)))
    assert len(list(objects.names())) == 1


def test_only_the_components_asked_for_are_read(objects: Objects) -> None:
    name = put(objects, {"a": np.arange(100_000), "a2": 1}, {"b": np.zeros(100_000)}, {"c": bytes(5_000_000)})
    values = Values.open(objects, name, {})
    assert values.names == {"a", "a2", "b", "c"}
    assert values.nbytes > 6_600_000
    needed = references(objects, name)
    assert len(needed) == 3
    for other in needed[1:]:
        objects.remove(other)
    assert set(values.load(["a2"])) == {"a", "a2"}
    assert values.load([]) == {}
    with pytest.raises(DamagedObjectError, match=f"{needed[1][:12]} is missing"):
        values.load(["b"])
    with pytest.raises(DamagedObjectError, match="missing"):
        values.load(["a", "c"])
    with pytest.raises(KeyError, match="nothing"):
        values.load(["nothing"])


def test_each_load_makes_values_of_their_own(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_mlops.capture.values.reading.MAPPED", 1 << 16)
    monkeypatch.setattr(objects_module, "MAPPED", 1 << 16)
    for array in (np.zeros(10), np.zeros(10_000)):
        values = Values.open(objects, put(objects, {"a": array}), {})
        values.load(["a"])["a"][:] = 1
        assert not values.load(["a"])["a"].any()


def test_mapped_values_outlive_their_object(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_mlops.capture.values.reading.MAPPED", 1 << 16)
    monkeypatch.setattr(objects_module, "MAPPED", 1 << 16)
    name = put(objects, {"a": np.arange(100_000)})
    array = Values.open(objects, name, {}).load(["a"])["a"]
    if os.name == "posix":
        for needed in references(objects, name):
            objects.remove(needed)
    assert array[::1000].tolist() == list(range(0, 100_000, 1000))
    array += 1
    assert array[-1] == 100_000


def test_many_columns_take_few_descriptors(objects: Objects) -> None:
    before = psutil.Process().num_fds()
    frame = pd.DataFrame({f"c{number}": np.arange(20_000) + number for number in range(100)})
    again = Values.open(objects, put(objects, {"frame": frame}), {}).load(["frame"])["frame"]
    assert psutil.Process().num_fds() <= before + 2
    pd.testing.assert_frame_equal(again, frame)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit flipped": lambda data: data[:9] + bytes([data[9] ^ 1]) + data[10:],
    "the last bit flipped": lambda data: data[:-1] + bytes([data[-1] ^ 128]),
    "cut short": lambda data: data[:-1],
    "empty": lambda data: b"",
    "longer": lambda data: data + b"x",
    "zeros": lambda data: bytes(len(data)),
}
LARGE_VALUES: dict[str, Any] = {
    "array": np.arange(30_000),
    "large array": np.arange(3_000_000),
    "frame": pd.DataFrame({"a": np.arange(30_000), "b": np.arange(30_000)}),
    "texts": pd.DataFrame({"s": [f"text {n}" for n in range(30_000)]}),
    "bytes": bytes(range(256)) * 8000,
    "list": list(range(100_000)),
    "views": (lambda root: [root, root[5:]])(np.arange(30_000)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", LARGE_VALUES)
def test_a_damaged_object_is_named_set_aside_and_written_anew(objects: Objects, kind: str, damage: str) -> None:
    name = put(objects, {"value": LARGE_VALUES[kind]})
    damaged = references(objects, name)[-1]
    path = objects.path(damaged)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(DamagedObjectError, match=damaged[:12]) as caught:
        Values.open(objects, name, {}).load(["value"])
    assert "run again" in caught.value.hint
    assert damaged not in objects
    assert (objects.folder.parent / "damaged" / damaged).exists()
    assert put(objects, {"value": LARGE_VALUES[kind]}) == name
    Values.open(objects, name, {}).load(["value"])


def test_a_values_object_that_is_altered_or_of_another_user_is_not_loaded(
    objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = put(objects, {"a": 1})
    with monkeypatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "another"))
        with pytest.raises(DamagedObjectError, match="signature"):
            Values.open(objects, name, {})
        assert references(objects, name) == []
    path = objects.path(name)
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"b"'))
    with pytest.raises(DamagedObjectError, match="damaged"):
        Values.open(objects, name, {})


@pytest.mark.parametrize(
    "data", [b"", b"rubbish", b"mlops-values-1\n" + bytes(100), b'mlops-values-2\n{"version":9}\n']
)
def test_bytes_of_another_format_are_refused(objects: Objects, data: bytes) -> None:
    name = objects.put(data, signed=True)
    with pytest.raises(DamagedObjectError, match="format"):
        Values.open(objects, name, {})


def test_other_objects_need_none(objects: Objects) -> None:
    assert references(objects, objects.put(b"some notebook")) == []


def test_a_component_without_values_is_empty(objects: Objects) -> None:
    values = Values.open(objects, put(objects), {})
    assert (values.names, values.load([])) == (set(), {})


def test_what_is_packed_is_what_was_there_when_it_was_secured(objects: Objects) -> None:
    big, small, frame = np.zeros(100_000), np.zeros(3), pd.DataFrame({"a": np.zeros(100_000)})
    packed = pack([{"big": big, "small": small, "frame": frame, "letters": (letters := bytearray(2_000_000))}], {})
    packed.secure()
    big[:] = small[:] = 1
    frame.loc[:, "a"] = 1.0
    letters[:] = b"x" * len(letters)
    again = Values.open(objects, write(objects, packed), {}).load(["big"])
    assert not again["big"].any()
    assert not again["small"].any()
    assert not again["frame"]["a"].any()
    assert not any(again["letters"])


def test_packing_copies_no_large_memory() -> None:
    array, text = np.zeros(20_000_000), "x" * 1_000
    data, frame = bytes(100_000_000), pd.DataFrame({"a": np.zeros(10_000_000), "b": np.ones(10_000_000)})
    tracemalloc.start()
    try:
        packed = pack([{"array": array, "view": array[5:], "data": data, "frame": frame, "text": text}], {})
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert packed.nbytes > 400_000_000


def test_securing_while_writing_keeps_what_was_packed(objects: Objects) -> None:
    arrays = [np.full(200_000, number) for number in range(30)]
    packed = pack([{f"a{number}": array} for number, array in enumerate(arrays)], {})
    names: list[str] = []
    writer = threading.Thread(target=lambda: names.append(write(objects, packed)))
    writer.start()
    packed.secure()
    for array in arrays:
        array[:] = -1
    writer.join()
    again = Values.open(objects, names[0], {}).load(packed_names := [f"a{number}" for number in range(30)])
    for number, name in enumerate(packed_names):
        assert (again[name] == number).all()
        assert objects.verify(references(objects, names[0])[number])


def test_what_does_not_fit_on_the_disk_is_refused_before_a_byte_is_written(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(objects.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000_000))
    packed = pack([{f"a{number}": np.zeros(2_500_000) + number} for number in range(5)], {})
    with pytest.raises(StoreError, match="100 MB free, and 100 MB are to be stored"):
        write(objects, packed)
    assert list(objects.folder.rglob("*")) == []


def test_what_is_stored_already_needs_no_room(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.zeros(5_000_000)
    name = put(objects, {"a": array})
    usage = shutil.disk_usage(objects.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    assert put(objects, {"a": array}) == name


def test_a_disk_that_fills_meanwhile_leaves_no_half_object(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) > 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    packed = pack([{f"a{number}": np.zeros(700_000) + number} for number in range(5)], {})
    with pytest.raises(StoreError, match="No space left"):
        write(objects, packed)
    assert list(objects.leftovers()) == []
    assert all(objects.verify(name) for name in objects.names())


def test_a_process_killed_while_it_writes_leaves_whole_objects_only(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        import numpy as np
        from jupyter_mlops.capture.values import pack, write
        from jupyter_mlops.store.objects.local import Objects
        objects = Objects(Path(sys.argv[1]))
        pack([{"warm": np.zeros(3)}], {})
        print("ready", flush=True)
        for number in range(10_000):
            print(write(objects, pack([{"a": np.arange(400_000) + number}, {"b": number}], {})), flush=True)
    """
    objects = store(tmp_path)
    for delay in (0.02, 0.1, 0.3):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(objects.folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        for line in process.communicate()[0].split("\n"):
            if len(line) == 64:
                assert set(Values.open(objects, line, {}).load(["a", "b"])) == {"a", "b"}
    assert all(objects.verify(name) for name in objects.names())
