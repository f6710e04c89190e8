"""Digests of pandas and arrow values: every element and flag counts, layout in blocks does not, sharing is truthful."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from capture.sample_values import DAYS, LETTERS
from jupyter_mlops.capture.digest import layout
from jupyter_mlops.capture.digest.content import Fingerprint, Walker


def digest(value: Any) -> str:
    return Walker({}).fingerprint("value", value).digest


COLUMNS: dict[str, list[Any]] = {
    "int64": [1, 2, 3, 4],
    "float32": [1.0, np.nan, -0.0, 4.0],
    "bool": [True, False, True, False],
    "object": [1, "a", None, (1,)],
    "str": ["a", "b", None, "d"],
    "category": ["a", "b", None, "b"],
    "datetime64[ns]": list(DAYS),
    "datetime64[us, Europe/Berlin]": list(DAYS.tz_localize("Europe/Berlin")),
    "timedelta64[s]": list(DAYS - DAYS[1]),
    "period[D]": list(DAYS.to_period("D")),
    "interval": list(pd.interval_range(0, 4)),
    "Sparse[int64]": [0, 1, 0, 2],
    "Int64": [1, None, 3, 4],
    "boolean": [True, None, True, False],
    "Float64": [1.5, None, 0.0, 4.0],
    "string": ["a", None, "c", "d"],
    "string[python]": ["a", None, "c", "d"],
    "int8[pyarrow]": [1, None, 3, 4],
    "list<item: int64>[pyarrow]": [[1], None, [2, 3], []],
}
DTYPES: dict[str, Any] = {
    "list<item: int64>[pyarrow]": pd.ArrowDtype(pa.list_(pa.int64())),
}


def column(name: str, values: list[Any]) -> Any:
    return pd.Series(values, dtype=DTYPES.get(name, name), name="c")


@pytest.mark.parametrize("name", COLUMNS)
def test_every_element_of_a_column_counts_and_so_do_name_index_and_order(name: str) -> None:
    values = COLUMNS[name]
    series = column(name, values)
    changed = [column(name, [*values[:place], values[place - 1], *values[place + 1 :]]) for place in range(4)]
    others = [
        *changed,
        series.rename("d"),
        series.set_axis(["w", "x", "y", "z"]),
        series[:3],
        series[::-1].reset_index(drop=True),
        series.set_flags(allows_duplicate_labels=False),
        series.to_frame(),
        series.astype("string") if series.dtype == object else series.astype(object),
    ]
    found = {digest(item) for item in others}
    assert len(found) >= len(others) - 1, "one neighbour may equal another"
    assert digest(series) not in found


@pytest.mark.parametrize("name", COLUMNS)
def test_a_slice_has_the_digest_of_its_copy_and_walking_changes_nothing(name: str) -> None:
    series = column(name, COLUMNS[name])
    part = series[1:3]
    assert digest(part) == digest(part.copy()) == digest(part)
    frame = pd.DataFrame({"a": series, "b": series, "n": 1})
    assert digest(frame.iloc[1:3]) == digest(frame.iloc[1:3].copy())
    assert digest(frame[["a", "n"]]) == digest(pd.DataFrame({"a": series, "n": 1}))


@pytest.mark.parametrize("name", COLUMNS)
def test_an_index_of_any_kind_counts(name: str) -> None:
    index = pd.Index(column(name, COLUMNS[name]))
    assert digest(index) == digest(index.copy())
    assert digest(pd.Series(range(4), index)) == digest(pd.Series(range(4), index.copy()))
    assert len({digest(item) for item in (index, index[:3], index[::-1], index.rename("x"))}) == 4


DIFFERENT = [
    (pd.Categorical(LETTERS), pd.Categorical(LETTERS, ordered=True)),
    (pd.Categorical(["a"], ["a", "b"]), pd.Categorical(["a"], ["a", "c"])),
    (pd.Series(DAYS.tz_localize("UTC")), pd.Series(DAYS.tz_localize("Europe/London"))),
    (pd.Series(DAYS), pd.Series(DAYS.as_unit("s"))),
    (pd.period_range("2020", periods=2, freq="D"), pd.period_range("2020", periods=2, freq="h")),
    (pd.interval_range(0, 3), pd.interval_range(0, 3, closed="both")),
    (pd.date_range("2020", periods=2, freq="D"), pd.DatetimeIndex(["2020-01-01", "2020-01-02"])),
    (pd.RangeIndex(3), pd.Index([0, 1, 2])),
    (pd.Series(["a"], dtype="string[python]"), pd.Series(["a"], dtype="string[pyarrow]")),
    (pd.Series(["a"], dtype=object), pd.Series(["a"], dtype="string")),
    (pd.Series([1], dtype="int64"), pd.Series([1], dtype="Int64")),
    (pd.Series([np.nan], dtype=object), pd.Series([None], dtype=object)),
    (pd.arrays.SparseArray([0, 1], fill_value=0), pd.arrays.SparseArray([0, 1], fill_value=1)),
    (
        pd.MultiIndex.from_product([[1], [2]], names=["a", "b"]),
        pd.MultiIndex.from_product([[1], [2]], names=["b", "a"]),
    ),
    (pd.DataFrame(np.zeros((2, 2))), pd.DataFrame(np.zeros((2, 2)), columns=pd.Index([0, 1], name="x"))),
    (pd.DataFrame(np.zeros((2, 2)), copy=False), pd.DataFrame(np.zeros((2, 2), order="F"), copy=False)),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}).rename_axis("i")),
    (pd.Timestamp("2020"), pd.Timestamp("2020").as_unit("ns")),
    (pd.NA, pd.NaT),
    (pa.array([1, 2]), pa.array([1, 2], pa.int32())),
    (pa.array([1, None]), pa.array([1, 0])),
    (pa.array(["ab", "c"]), pa.array(["a", "bc"])),
    (pa.array([None, ""]), pa.array(["", None])),
    (pa.array([[1], [2]]), pa.array([[1, 2], []])),
    (pa.array([None, []], pa.list_(pa.int8())), pa.array([[], None], pa.list_(pa.int8()))),
    (pa.table({"a": [1]}), pa.table({"a": [1]}, metadata={"k": "v"})),
    (pa.table({"a": [1], "b": [2]}), pa.table({"b": [2], "a": [1]})),
    (pa.schema([("a", pa.int8())]), pa.schema([pa.field("a", pa.int8(), nullable=False)])),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=lambda value: type(value).__name__)
def test_what_differs_in_kind_or_flag_has_another_digest(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)


def test_how_columns_are_gathered_into_blocks_does_not_count() -> None:
    apart = pd.DataFrame({"a": [1.0, 2.0]})
    apart["s"] = ["x", "y"]
    apart["b"] = [3.0, 4.0]
    apart["i"] = [1, 2]
    before = digest(apart)
    gathered = apart.copy()
    assert len(gathered._mgr.blocks) < len(apart._mgr.blocks)
    assert digest(gathered) == before
    apart.describe()
    assert digest(apart) == before, "reading is no change"


def test_what_stands_where_a_value_is_missing_does_not_count() -> None:
    one, other = pd.array([1, 2, 3]), pd.array([1, 7, 3])
    one[1] = other[1] = pd.NA
    one._data[1], other._data[1] = 5, 6
    assert digest(one) == digest(other)
    kept = pa.array(["a", "hidden", "c"])
    hidden = pa.Array.from_buffers(kept.type, 3, [pa.array([True, False, True]).buffers()[1], *kept.buffers()[1:]])
    assert hidden.to_pylist() == ["a", None, "c"]
    assert digest(hidden) == digest(pa.array(["a", None, "c"]))


def test_how_an_arrow_column_is_chunked_does_not_count_within_a_frame() -> None:
    words = ["a", None, "ccc", "", "ee"]
    whole = pd.Series(words, dtype="string[pyarrow]")
    pieces = pd.concat([whole[:2], whole[2:3], whole[3:]])
    assert pieces.array._pa_array.num_chunks > 1
    assert digest(pieces) == digest(whole)


@pytest.mark.parametrize("kind", [pa.int32(), pa.bool_(), pa.string(), pa.large_string(), pa.list_(pa.int8())])
def test_offsets_and_chunks_of_arrow_arrays_do_not_count(kind: Any) -> None:
    items: dict[str, list[Any]] = {
        "int32": [1, None, 3],
        "bool": [True, None, False],
        "list<item: int8>": [[1], None, [2, None]],
    }
    values = items.get(str(kind), ["a", None, "ccc"]) * 7
    whole = pa.chunked_array([values], kind)
    pieces = pa.chunked_array([pa.array(values[:5], kind), pa.array([], kind), pa.array(values, kind)[5:]])
    assert digest(pieces) == digest(whole)


def shares(one: Any, other: Any) -> bool:
    walker = Walker({})
    first, second = walker.fingerprint("a", one), walker.fingerprint("b", other)
    assert first.shares_with(second) == second.shares_with(first)
    return first.shares_with(second)


AS_ARRAYS = not layout.frames_are_copies()
FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0], "i": [1, 2], "s": ["x", "y"], "c": pd.Categorical(["u", "v"])})
SHARED: dict[str, tuple[Callable[[], tuple[Any, Any]], bool]] = {
    "frame and its column": (lambda: (FRAME, FRAME["a"]), AS_ARRAYS),
    "frame and its rows": (lambda: (FRAME, FRAME[:1]), AS_ARRAYS),
    "frame and a shallow copy": (lambda: (FRAME, FRAME.copy(deep=False)), AS_ARRAYS),
    "frame and its copy": (lambda: (FRAME, FRAME.copy()), False),
    "frame and itself": (lambda: (FRAME, [FRAME]), True),
    "frame and the values of a column": (lambda: (FRAME, FRAME["a"].to_numpy()), True),
    "column and its values": (lambda: (col := FRAME["i"], col.to_numpy()), True),
    "frame and the values of another": (lambda: (FRAME, FRAME.copy()["a"].to_numpy()), False),
    "frame and its values": (lambda: (one := FRAME[["a", "b"]].copy(), one.values), True),
    "frame and an array taken over": (lambda: (array := np.zeros((2, 2)), pd.DataFrame(array, copy=False)), True),
    "frame and an array copied": (lambda: (array := np.zeros((2, 2)), pd.DataFrame(array, copy=True)), False),
    "frame and a categorical of it": (lambda: (FRAME, FRAME["c"].array), True),
    "frame and strings of it": (lambda: (FRAME, FRAME["s"].array), True),
    "index and its values": (lambda: (index := pd.Index([1, 2]), index.to_numpy()), True),
    "two frames of one index": (
        lambda: (one := pd.DataFrame({"a": [1]}, [5]), pd.DataFrame({"b": [1]}, one.index)),
        False,
    ),
    "array and a read-only view": (lambda: (array := np.zeros(3), _read_only(array)), True),
    "two views": (lambda: ((array := np.zeros(3))[:2], array[1:]), True),
    "values of one column twice": (lambda: (FRAME["a"].to_numpy(), FRAME["a"].to_numpy()), True),
    "objects in cells": (lambda: (one := pd.DataFrame({"o": [[1]]}), one.copy()), True),
    "arrow array and numpy": (lambda: (array := np.arange(3), pa.array(array)), True),
    "arrow array and a slice": (lambda: (array := pa.array([1, 2, 3]), array[1:]), False),
    "bytearray and numpy": (lambda: (data := bytearray(8), np.frombuffer(data)), True),
    "bytearray and memoryview": (lambda: (data := bytearray(8), memoryview(data)), True),
    "array and record": (lambda: (array := np.zeros(2, [("a", "i4")]), array[0]), True),
    "masked array and its data": (lambda: (array := np.ma.masked_array([1, 2]), array.data), True),
    "grouped and frame": (lambda: (FRAME, FRAME.groupby("i")), True),
    "object and its dict": (lambda: (one := _Holder(), vars(one)), True),
}


class _Holder:
    def __init__(self) -> None:
        self.x = 1


def _read_only(array: Any) -> Any:
    view = array[:]
    view.flags.writeable = False
    return view


@pytest.mark.parametrize("name", SHARED)
def test_values_share_where_a_change_of_one_may_change_the_other(name: str) -> None:
    make, expected = SHARED[name]
    assert shares(*make()) is expected


def test_without_copy_on_write_frames_share_as_arrays_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "frames_are_copies", lambda: False)
    assert shares(FRAME, FRAME["a"])
    assert shares(FRAME, FRAME["a"].to_numpy())
    assert not shares(FRAME, FRAME.copy())
    one = pd.DataFrame({"a": [1]}, [5])
    assert not shares(one, pd.DataFrame({"b": [1]}, one.index)), "no one changes an index in place"


def test_overlaps_are_found_among_many() -> None:
    def made(*extents: tuple[int, int]) -> Fingerprint:
        return Fingerprint("", set(), sorted(extents), set(), [])

    many = made(*[(number * 10, number * 10 + 5) for number in range(20_000)])
    between = made(*[(number * 10 + 5, number * 10 + 10) for number in range(20_000)])
    assert not many.shares_with(between)
    assert many.shares_with(made((99_994, 99_996)))
    assert many.shares_with(made((-1, 1_000_000)))
    assert not many.shares_with(made())
