"""Values as notebooks have them: Hypothesis strategies, nested, with numpy and pandas in them, and a table by name."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import enum
import fractions
import functools
import ipaddress
import operator
import re
import types
import uuid
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.decimals(allow_nan=False).map(Decimal),
    st.fractions().map(Fraction),
    st.datetimes(),
    st.dates(),
    st.timedeltas(),
    st.text("abc", min_size=1, max_size=3).map(PurePosixPath),
    st.integers(0, 9).map(range),
)
DTYPES = st.sampled_from(["i1", "<i8", ">i4", "f4", "<f8", "c16", "?", "S3", "U2", "M8[s]", "m8[ms]"])
ARRAYS = st.one_of(
    DTYPES.flatmap(lambda kind: np_st.arrays(kind, np_st.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))),
    np_st.arrays("<f8", (4, 3)).map(lambda array: array.T),
    np_st.arrays("<i8", (6, 4)).map(lambda array: array[::2, 1:]),
    np_st.arrays("<i8", (5,)).map(lambda array: array[::-1]),
    st.lists(st.text(max_size=3), max_size=4).map(lambda items: np.array(items, dtype=object)),
    st.lists(st.none() | st.integers() | st.text(max_size=3), max_size=4).map(
        lambda items: np.array(items, dtype=object)
    ),
)
SCALARS = st.one_of(st.integers(-9, 9).map(np.int64), st.floats(width=32).map(np.float32), st.booleans().map(np.bool_))
ROWS = st.integers(0, 5)


def _columns(rows: int) -> st.SearchStrategy[dict[str, Any]]:
    def listed(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
        return st.lists(items, min_size=rows, max_size=rows)

    return st.fixed_dictionaries(
        {"i": listed(st.integers(-(2**31), 2**31))},
        optional={
            "f": listed(st.floats()),
            "s": listed(st.text(max_size=3)),
            "n": listed(st.none() | st.text(max_size=3)),
            "b": listed(st.booleans()),
            "c": listed(st.sampled_from("abc")).map(lambda items: pd.Categorical(items, categories=list("abc"))),
            "t": listed(st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2030, 1, 1))),
        },
    )


FRAMES = ROWS.flatmap(_columns).map(pd.DataFrame)
PANDAS = st.one_of(
    FRAMES,
    FRAMES.map(lambda frame: frame["i"]),
    FRAMES.map(lambda frame: frame.iloc[::2]),
    FRAMES.map(lambda frame: frame.set_index("i")),
    FRAMES.map(lambda frame: frame.index),
    FRAMES.map(lambda frame: frame.groupby("i").size()),
)
HASHABLE = st.none() | st.booleans() | st.integers() | st.text(max_size=4)


def _nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(HASHABLE, inner, max_size=3),
            st.sets(HASHABLE, max_size=4),
            st.frozensets(HASHABLE, max_size=4),
            inner.map(lambda item: [item, item]),
            st.binary(max_size=4).map(bytearray),
        ),
        max_leaves=5,
    )


PLAIN_VALUES = _nested(ATOMS | SCALARS | ARRAYS)
VALUES = _nested(ATOMS | SCALARS | ARRAYS | PANDAS)


class Colour(enum.Enum):
    """Importable."""

    RED = 1
    BLUE = 2


class Mode(enum.Flag):
    """Importable, can be combined."""

    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Row:
    """Importable."""

    name: str
    items: list[int] = dataclasses.field(default_factory=list)


class Slotted:
    """Importable, without a dict."""

    __slots__ = ("x", "y")

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y


Pair = collections.namedtuple("Pair", "one two")
LETTERS = ["a", "b", "c", "d"]
DAYS = pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-06"])


def _with(frame: Any, **attributes: Any) -> Any:
    for name, value in attributes.items():
        if name == "attrs":
            frame.attrs.update(value)
        else:
            setattr(frame, name, value)
    return frame


def _frozen(value: Any) -> Any:
    value.flags.writeable = False
    return value


TABLE: dict[str, Callable[[], Any]] = {
    "deque": lambda: collections.deque([1, [2], {}], maxlen=9),
    "ordered dict": lambda: collections.OrderedDict(a=[1], b=2),
    "default dict": lambda: collections.defaultdict(list, a=[1]),
    "counter": lambda: collections.Counter("abracadabra"),
    "chain map": lambda: collections.ChainMap({"a": 1}, {"b": [2]}),
    "user dict": lambda: collections.UserDict(a=1),
    "dataclass": lambda: Row("a", [1]),
    "enum": lambda: [Colour.RED, Colour.BLUE, Mode.READ, Mode.READ | Mode.WRITE],
    "named tuple": lambda: [Pair(1, [2]), Pair("a", None)],
    "slots": lambda: Slotted([1], None),
    "namespace": lambda: types.SimpleNamespace(a=1, b=[2]),
    "datetimes": lambda: [
        datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        datetime.datetime(2020, 10, 25, 2, fold=1),
        datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1), "x")),
        datetime.date(2020, 1, 1),
        datetime.time(1, 2, 3),
        datetime.timedelta(1, 2, 3),
    ],
    "numbers": lambda: [Decimal("1.10"), Decimal("NaN"), fractions.Fraction(1, 3), 1 << 200, -0.0, 1j],
    "paths": lambda: [PurePosixPath("a/b"), uuid.UUID(int=7), re.compile("a+", re.I), ipaddress.ip_address("::1")],
    "ranges": lambda: [range(3), slice(1, None, 2), slice("a", [1]), ..., NotImplemented],
    "sets": lambda: [{1, "a", None}, frozenset({(1, 2), (3,)}), {Colour.RED, Pair(1, 2)}, set()],
    "functions": lambda: [len, str.upper, "a".upper, operator.itemgetter(1, 2), operator.attrgetter("a.b"), math_sqrt],
    "partial": lambda: functools.partial(max, 1, key=len),
    "types": lambda: [int, Row, list[int], int | None, Callable[[int], str], Any],
    "bytes": lambda: [b"a", bytearray(b"b"), array.array("d", [1.0])],
    "same twice": lambda: [[inner := [1], inner], (inner, {"a": inner})],
    "many rows": lambda: [{"a": number, "b": [number, str(number)], "c": {"x": 1.5}} for number in range(5000)],
    "many odd rows": lambda: [(number, Decimal(number)) for number in range(5000)],
    "long text": lambda: ["ä" * (2 << 20), b"b" * (2 << 20), "\ud800"],
    "exception": lambda: ValueError("no", 1),
    "iterator": lambda: iter([1, 2]),
    "matrix": lambda: np.array([[1, 2], [3, 4]]).view(np.matrix),
    "record array": lambda: np.rec.array([(1, "a")], dtype=[("n", "i4"), ("s", "U3")]),
    "structured": lambda: np.array([(1, 2.0)], np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "record": lambda: np.array([(1, 2.0)], [("a", "i1"), ("b", "f8")])[0],
    "sub-array field": lambda: np.zeros(2, [("a", "i4", (2, 3)), ("b", [("c", "f4")])]),
    "masked": lambda: np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], [[0, 1], [0, 0]], fill_value=9),
    "masked, nothing hidden": lambda: np.ma.masked_array([1, 2]),
    "long double": lambda: np.array([1, 2], "longdouble"),
    "times": lambda: np.array(["2020-01-01", "NaT"], "M8[D]"),
    "object array": lambda: np.array([[1, "a"], [None, [2]]], object),
    "read-only": lambda: _frozen(np.arange(3)),
    "fortran": lambda: np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "byte order": lambda: np.arange(3, dtype=">i4"),
    "no dimension": lambda: np.array(3.5),
    "empty": lambda: np.empty((0, 3)),
    "text array": lambda: np.array(["a", "äö"]),
    "dtype": lambda: [np.dtype("i4"), np.dtype([("a", "f8")]), np.dtype("M8[ns]")],
    "scalars": lambda: [np.float32(1), np.str_("a"), np.datetime64("2020-01-01"), np.bool_(True)],
    "generators": lambda: [np.random.default_rng(1), np.random.RandomState(1), np.random.SeedSequence(3)],
    "ufunc": lambda: np.sqrt,
}


def math_sqrt(x: float) -> float:
    """Importable."""
    return x**0.5


def _series(*args: Any, **kwargs: Any) -> Callable[[], Any]:
    return lambda: pd.Series(*args, **kwargs)


TABLE |= {
    "frame": lambda: pd.DataFrame({"a": [1, 2], "b": [1.5, None], "s": ["x", None], "o": [[1], "y"]}),
    "frame in blocks": lambda: _with(pd.DataFrame(np.zeros((3, 2)), columns=["a", "b"]), a=[1, 2, 3]),
    "frame of rows": lambda: pd.DataFrame(np.arange(12.0).reshape(4, 3), copy=False),
    "frame of columns": lambda: pd.DataFrame(np.asfortranarray(np.arange(12.0).reshape(4, 3)), copy=False),
    "frame, every second row": lambda: pd.DataFrame({"a": range(9), "b": range(9)}).iloc[::2],
    "frame, backwards": lambda: pd.DataFrame({"a": range(9), "b": range(9)}).iloc[::-1],
    "frame with notes": lambda: _with(pd.DataFrame({"a": [1]}), attrs={"unit": ["m"]}),
    "frame with flags": lambda: pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False),
    "frame with named columns": lambda: pd.DataFrame([[1, 2]], columns=pd.Index(["a", "b"], name="c")),
    "frame with doubled columns": lambda: pd.DataFrame([[1, 2.0, "x"]], columns=["a", "a", "b"]),
    "frame with levels": lambda: pd.DataFrame(
        {"v": range(4)}, index=pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", None])
    ),
    "empty frame": lambda: pd.DataFrame(),
    "empty columns": lambda: pd.DataFrame({"a": [], "b": pd.Series([], dtype="str")}),
    "objects": _series([1, "a", None, (1, 2), [3]], dtype=object),
    "str": _series(["a", None, "äö", ""], dtype="str"),
    "python strings": _series(["a", None, "b"], dtype=pd.StringDtype("python")),
    "arrow strings": _series(["a", None, "b"], dtype=pd.StringDtype("pyarrow")),
    "sliced strings": lambda: pd.Series(["a", None, "b", "cc"])[1:],
    "category": lambda: pd.Series(LETTERS, dtype="category"),
    "ordered category": lambda: pd.Series(pd.Categorical(LETTERS, list("dcbae"), ordered=True)),
    "numbers as categories": lambda: pd.cut(pd.Series([1, 5, 9]), 3),
    "zoned": lambda: pd.Series(DAYS.tz_localize("Europe/Berlin")),
    "timedelta": lambda: pd.Series(DAYS - DAYS[0]),
    "period": lambda: pd.Series(DAYS.to_period("M")),
    "interval": lambda: pd.Series(pd.interval_range(0, 4, closed="left")),
    "sparse": lambda: pd.Series(pd.arrays.SparseArray([0, 0, 1, 2])),
    "nullable integers": _series([1, None, 3], dtype="Int16"),
    "nullable booleans": _series([True, None], dtype="boolean"),
    "nullable floats": _series([1.5, None], dtype="Float32"),
    "arrow integers": _series([1, None], dtype="int64[pyarrow]"),
    "range index": lambda: pd.RangeIndex(2, 20, 3, name="r"),
    "date index": lambda: pd.date_range("2020", periods=4, freq="2h", tz="UTC", name="t"),
    "business days": lambda: pd.date_range(
        "2020", periods=4, freq=pd.offsets.CustomBusinessDay(holidays=["2020-01-02"])
    ),
    "period index": lambda: pd.period_range("2020", periods=3, freq="Q"),
    "interval index": lambda: pd.interval_range(0, 3),
    "category index": lambda: pd.CategoricalIndex(LETTERS, name="c"),
    "timedelta index": lambda: pd.timedelta_range("1h", periods=3),
    "pandas scalars": lambda: [
        pd.Timestamp("2020", tz="UTC"),
        pd.Timedelta("1h"),
        pd.Period("2020-01"),
        pd.Interval(0, 1),
        pd.NaT,
        pd.NA,
        pd.offsets.MonthEnd(2),
    ],
    "pandas dtypes": lambda: [pd.CategoricalDtype(["a"]), pd.DatetimeTZDtype("ns", "UTC"), pd.Int8Dtype()],
    "pandas array": lambda: [pd.array([1, None]), pd.Categorical(["a"]), pd.array(DAYS)],
    "grouped": lambda: pd.DataFrame({"a": [1, 1], "b": [2, 3]}).groupby("a"),
}


def _arrow() -> dict[str, Callable[[], Any]]:
    import pyarrow as pa

    words = ["a", None, "ccc", "dd"]
    return {
        "arrow text": lambda: pa.array(words),
        "arrow slice": lambda: pa.array(words)[1:3],
        "arrow chunks": lambda: pa.chunked_array([words, ["x"]]),
        "arrow numbers": lambda: pa.array([1, None, 3], pa.int16()),
        "arrow booleans": lambda: pa.array([True, None, False] * 5)[1:],
        "arrow decimals": lambda: pa.array([Decimal("1.10"), None]),
        "arrow times": lambda: pa.array([1, None], pa.timestamp("us", "UTC")),
        "arrow lists": lambda: pa.array([[1], None, [2, None]]),
        "arrow structs": lambda: pa.array([{"a": 1, "b": "x"}, None]),
        "arrow dictionary": lambda: pa.array(words).dictionary_encode(),
        "arrow map": lambda: pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        "arrow nulls": lambda: pa.nulls(3),
        "arrow bytes": lambda: pa.array([b"a", None], pa.binary(1)),
        "arrow table": lambda: pa.table({"a": [1, 2], "b": ["x", None]}).replace_schema_metadata({"k": "v"}),
        "arrow batch": lambda: pa.record_batch({"a": [1, 2]}),
        "arrow schema": lambda: pa.schema([pa.field("a", pa.int8(), nullable=False)]),
        "arrow types": lambda: [pa.list_(pa.int8()), pa.field("a", pa.string())],
    }


def _sparse() -> dict[str, Callable[[], Any]]:
    import scipy.sparse as sp

    dense = np.array([[0, 1.0, 0], [2, 0, 3]])
    made: dict[str, Callable[[], Any]] = {}
    for form in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil"):
        made[f"{form} matrix"] = functools.partial(getattr(sp, f"{form}_matrix"), dense)
        made[f"{form} array"] = functools.partial(getattr(sp, f"{form}_array"), dense)
    return made


def _sklearn() -> dict[str, Callable[[], Any]]:
    from sklearn import cluster, compose, datasets, ensemble, feature_extraction, linear_model, neighbors, pipeline
    from sklearn import preprocessing as pre

    X, y = datasets.load_iris(return_X_y=True)
    frame = pd.DataFrame(X, columns=LETTERS).assign(e=y.astype(str))
    mixed = compose.ColumnTransformer(
        [("n", pre.StandardScaler(), LETTERS), ("c", pre.OneHotEncoder(), ["e"])], remainder="passthrough"
    )
    generator = np.random.RandomState
    return {
        "iris": datasets.load_iris,
        "iris frame": lambda: datasets.load_iris(as_frame=True),
        "unfitted": lambda: linear_model.Ridge(alpha=2),
        "regression": lambda: linear_model.LogisticRegression(max_iter=500).fit(X, y),
        "forest": lambda: ensemble.RandomForestClassifier(4, random_state=generator(0)).fit(X, y),
        "boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(X, y),
        "neighbours": lambda: neighbors.KNeighborsClassifier(algorithm="kd_tree").fit(X, y),
        "clusters": lambda: cluster.KMeans(3, random_state=0, n_init=1).fit(X),
        "words": lambda: feature_extraction.text.TfidfVectorizer(stop_words=["a"]).fit(["a bc", "bc de"]),
        "pipeline": lambda: pipeline.make_pipeline(mixed, linear_model.Ridge()).fit(frame, y),
    }


def table() -> dict[str, Callable[[], Any]]:
    """Name → what makes such a value, the same each time."""
    return {**TABLE, **_arrow(), **_sparse(), **_sklearn()}
