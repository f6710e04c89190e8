"""Values to the store and back: each comes back with the digest it had, aliases and shared memory intact."""

from __future__ import annotations

import collections
import datetime
import decimal
import functools
import logging
import math
import re
import types
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from capture.sample_values import VALUES

from .values_store import digest, trip


def back(value: Any) -> Any:
    return trip({"value": value})["value"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_a_value_comes_back_with_the_digest_it_had(value: Any) -> None:
    before = digest(value)
    again = back(value)
    assert type(again) is type(value)
    assert digest(again) == before
    assert digest(value) == before, "storing does not change it"


LARGE = 20_000
FRAME = pd.DataFrame(
    {
        "f": np.linspace(0, 1, LARGE),
        "g": np.linspace(0, 2, LARGE),
        "i": np.arange(LARGE),
        "s": ["a", "bc", "", "\u00e4"] * (LARGE // 4),
        "o": np.array(["a", "bc", "", "\u00e4"] * (LARGE // 4), dtype=object),
        "mixed": np.array([1, "x", None, 2.5] * (LARGE // 4), dtype=object),
        "c": pd.Categorical(["u", "v"] * (LARGE // 2), ordered=True),
        "t": pd.date_range("2020", periods=LARGE, freq="s"),
        "z": pd.date_range("2020", periods=LARGE, freq="s", tz="Europe/Berlin"),
        "d": pd.to_timedelta(np.arange(LARGE), unit="s"),
        "n": pd.array([1, None] * (LARGE // 2), dtype="Int64"),
        "b": pd.array([True, None] * (LARGE // 2), dtype="boolean"),
        "p": pd.period_range("2020", periods=LARGE, freq="h"),
        "sparse": pd.arrays.SparseArray([0.0, 1.0] * (LARGE // 2)),
        "a": pd.array([[1, 2]] * LARGE, dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
    }
)
IRIS = load_iris(as_frame=True)
MODEL = make_pipeline(StandardScaler(), LogisticRegression()).fit(IRIS.data, IRIS.target)
FOREST = RandomForestClassifier(n_estimators=5, random_state=0).fit(IRIS.data, IRIS.target)
VALUES_TABLE: dict[str, Any] = {
    "frame of all types": FRAME,
    "slice of a frame": FRAME.iloc[10:50:3],
    "head of a frame": FRAME.head(),
    "frame by two keys": FRAME.set_index(["i", "s"]),
    "frame by time": FRAME.set_index("t")[["f", "n"]],
    "index with a frequency": pd.date_range("2020", periods=5, freq="D"),
    "intervals": pd.cut(FRAME["f"], 4),
    "interval index": pd.interval_range(0, 4),
    "copy of one block": FRAME[["f", "g"]].copy(),
    "frame of one array": pd.DataFrame(np.arange(300_000.0).reshape(-1, 3)),
    "empty frame": pd.DataFrame(),
    "frame without rows": FRAME.iloc[:0],
    "wide frame": pd.DataFrame(np.arange(20_000.0).reshape(20, 1000)),
    "two kinds of column names": pd.DataFrame([[1, 2]], columns=pd.Index(["a", 3], dtype=object)),
    "columns on two levels": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
    "group sizes": FRAME.groupby("s").size(),
    "named series": FRAME["f"].rename("other"),
    "big array": np.arange(3_000_000.0),
    "Fortran": np.asfortranarray(np.arange(90_000.0).reshape(300, 300)),
    "axes turned": np.arange(27_000).reshape(30, 30, 30).transpose(1, 0, 2),
    "every other": np.arange(100_000)[::2],
    "reversed": np.arange(100_000)[::-1],
    "broadcast": np.broadcast_to(np.arange(3.0), (1000, 3)),
    "records": np.array([(1, 2.0), (3, 4.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "matrix": np.matrix([[1, 2], [3, 4]]),
    "masked": np.ma.masked_array([1, 2, 3], mask=[0, 1, 0]),
    "times": np.array(["2020-01-01", "NaT"], dtype="M8[ns]"),
    "no rows": np.empty((0, 3)),
    "one number": np.array(3.0),
    "texts": np.array(["x", "y"] * 50_000, dtype=object).reshape(2, -1),
    "sparse matrix": scipy.sparse.random(300, 300, 0.1, format="csr", random_state=0),
    "arrow table": pa.table({"a": list(range(100_000)), "s": ["x"] * 100_000}).column("a"),
    "pipeline": MODEL,
    "forest": FOREST,
    "bunch": IRIS,
    "generator": np.random.default_rng(1),
    "ordered": collections.OrderedDict(a=1, b=[2]),
    "defaults": collections.defaultdict(list, a=[1]),
    "counter": collections.Counter("abca"),
    "queue": collections.deque([1, 2], maxlen=5),
    "namespace": types.SimpleNamespace(a=1, b=[2]),
    "partial": functools.partial(int, base=2),
    "pattern": re.compile("a+"),
    "uuid": uuid.UUID(int=5),
    "decimal": decimal.Decimal("1.10"),
    "zone": datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
    "logger": logging.getLogger("some.logger"),
    "ufunc": np.add,
    "module": math,
    "error": ValueError("no", 3),
    "large bytes": bytes(range(256)) * 10_000,
    "large text": "\u00e4\ud800" * 1_000_000,
    "large bytearray": bytearray(3_000_000),
}


@pytest.mark.parametrize("kind", VALUES_TABLE)
def test_each_kind_comes_back_with_the_digest_it_had(kind: str) -> None:
    value = VALUES_TABLE[kind]
    before = digest(value)
    again = back(value)
    assert type(again) is type(value)
    assert digest(again) == before
    assert digest(value) == before, "storing does not change it"


@pytest.mark.parametrize(
    "value",
    [math.nan, -0.0, math.inf, np.float64("nan"), 10**300, "\ud800", "\0", b"\0", pd.NaT, pd.NA, pd.Timestamp(0)],
    ids=repr,
)
def test_odd_values_come_back(value: Any) -> None:
    again = back(value)
    assert type(again) is type(value)
    assert repr(again) == repr(value)


def test_a_frame_comes_back_equal_in_every_respect() -> None:
    frame = FRAME.copy()
    frame.attrs = {"source": "here", "steps": [1]}
    frame.flags.allows_duplicate_labels = False
    again = back(frame)
    pd.testing.assert_frame_equal(again, frame, check_exact=True, check_freq=True, check_flags=True)
    assert again.attrs == frame.attrs
    assert list(again.dtypes) == list(frame.dtypes)
    assert again.columns.dtype == frame.columns.dtype
    assert [block.mgr_locs.as_array.tolist() for block in again._mgr.blocks] == [
        block.mgr_locs.as_array.tolist() for block in frame._mgr.blocks
    ]
    again.loc[0, "f"] = 5.0
    again["new"] = again["f"] * 2
    assert again.loc[0, "new"] == 10.0
    assert frame.loc[0, "f"] == 0.0


@pytest.mark.filterwarnings("ignore:Pandas doesn't allow columns")
def test_what_is_set_on_a_frame_comes_back_with_it() -> None:
    frame = pd.DataFrame({"a": [1]})
    frame.title = "train"
    assert back(frame).title == "train"


def test_a_model_predicts_what_it_did() -> None:
    for model in (MODEL, FOREST):
        np.testing.assert_array_equal(back(model).predict_proba(IRIS.data), model.predict_proba(IRIS.data))


def test_an_arrow_table_comes_back() -> None:
    table = pa.table({"a": list(range(100_000)), "s": ["x", None] * 50_000})
    assert back(table).equals(table)


def test_arrays_come_back_writable_aligned_and_in_their_order() -> None:
    for size in (3, 300, 3000):
        values = {"c": np.zeros((size, 4)), "f": np.zeros((4, size), order="F"), "t": np.zeros((2, size, 3)).T}
        for name, again in trip(values).items():
            assert again.flags.writeable
            assert again.flags.aligned
            assert again.strides == values[name].strides
            again[:] = 1
            assert values[name].sum() == 0


def test_an_array_alone_in_its_memory_can_be_resized_as_before() -> None:
    for size in (10, 10_000):
        again = back(np.arange(size))
        again.resize(size + 1)
        assert again[-1] == 0


def test_read_only_arrays_come_back_read_only() -> None:
    for array in (np.arange(3), np.arange(50_000), np.array(["x", None], dtype=object), np.array(["x"], dtype=object)):
        array.flags.writeable = False
        assert not back(array).flags.writeable


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_aliases_stay_aliases(shape: list[int]) -> None:
    items: list[Any] = [[], {}, np.zeros(2), pd.DataFrame({"a": [1]}), types.SimpleNamespace()]
    values = {f"name{number}": items[choice] for number, choice in enumerate(shape)}
    again = trip(values)
    for one in values:
        for other in values:
            assert (again[one] is again[other]) is (values[one] is values[other])


SHARED: list[Any] = [[1], {"k": 2}, np.arange(4), bytearray(b"x")]
TREES = st.recursive(
    st.integers(0, 3).map(SHARED.__getitem__),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.lists(inner, max_size=3).map(tuple)),
    max_leaves=12,
)


def shape_of(value: Any, seen: dict[int, int]) -> Any:
    """A tree with a number for each object: equal where the same places hold the same objects."""
    if isinstance(value, tuple):
        return tuple(shape_of(item, seen) for item in value)
    number = seen.setdefault(id(value), len(seen))
    return [number, *(shape_of(item, seen) for item in value)] if isinstance(value, list) else (number, repr(value))


@settings(deadline=None, max_examples=50)
@given(TREES, TREES)
def test_nested_containers_hold_the_same_objects_in_the_same_places(one: Any, other: Any) -> None:
    again = trip({"one": one, "other": other})
    assert shape_of([again["one"], again["other"]], {}) == shape_of([one, other], {})


@st.composite
def views(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    size, kind = draw(st.sampled_from([(12, "i8"), (12, "O"), (24_000, "i8")]))
    root = np.arange(size, dtype="i8").astype(kind).reshape(3, -1)
    if draw(st.booleans()):
        root = root.copy()
    found = []
    for _ in range(draw(st.integers(1, 4))):
        view = root.T if draw(st.booleans()) else root
        slices = tuple(
            slice(draw(st.none() | st.integers(-5, 5)), None, draw(st.sampled_from([1, 2, -1, None]))) for _ in range(2)
        )
        view = view[slices]
        found.append(view.ravel(order="K") if draw(st.booleans()) and view.flags.contiguous else view)
    return root, found


@settings(deadline=None, max_examples=50)
@given(views(), st.booleans())
def test_arrays_that_share_memory_share_it_after_loading(made: tuple[Any, list[Any]], with_root: bool) -> None:
    root, found = made
    values = {f"view{number}": view for number, view in enumerate(found)}
    if with_root:
        values["root"] = root
    again = trip(values)
    for name, view in values.items():
        np.testing.assert_array_equal(again[name], view)
        for other in values:
            assert np.shares_memory(again[name], again[other]) == np.shares_memory(view, values[other])
    for name in values:
        if values[name].size:
            again[name].flat[0] = -7
            values[name].flat[0] = -7
            for other in values:
                np.testing.assert_array_equal(again[other], values[other])


class OwnAttributes(dict[str, Any]):
    def __init__(self, **items: Any) -> None:
        super().__init__(items)
        self.__dict__ = self


def test_a_dictionary_that_is_its_own_attributes_is_so_again() -> None:
    value = OwnAttributes(a=[1])
    again = back(value)
    assert digest(again) == digest(value)
    again["b"] = 2
    assert (again.a, again.b) == ([1], 2)
