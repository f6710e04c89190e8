"""Hypothesis strategies of values as notebooks have them, nested, with numpy and pandas in them."""

from __future__ import annotations

import datetime
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
