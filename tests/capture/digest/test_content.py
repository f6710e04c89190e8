"""A value's digest by content: equal for equal content in any process, different for different content."""

from __future__ import annotations

import copy
import functools
import math
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.sample_values import PLAIN_VALUES, VALUES
from jupyter_mlops.capture.digest.content import Fingerprint, Undigestible, Walker


def print_of(value: Any, **namespace: Any) -> Fingerprint:
    return Walker(namespace).fingerprint("value", value)


def digest(value: Any) -> str:
    return print_of(value).digest


def in_the_notebook(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__", "partial": functools.partial}
    exec(code, namespace)
    return namespace


@settings(max_examples=200, deadline=None)
@given(PLAIN_VALUES)
def test_a_deep_copy_has_the_same_digest(value: Any) -> None:
    assert digest(copy.deepcopy(value)) == digest(value)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_equal_digests_mean_equal_representations(one: Any, other: Any) -> None:
    if digest(one) == digest(other):
        assert repr(one) == repr(other)


@given(st.lists(st.integers() | st.text(), max_size=30), st.randoms())
def test_the_order_of_a_set_does_not_count(items: list[Any], random: Any) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    assert digest(set(items)) == digest(set(shuffled))
    assert digest(frozenset(items)) == digest(frozenset(shuffled)) != digest(set(items))


class Point:
    """Importable, with state."""

    def __init__(self, x: Any) -> None:
        self.x = x


DIFFERENT = [
    (0, False),
    (1, 1.0),
    (0.0, -0.0),
    (1, np.int64(1)),
    (np.int64(1), np.int32(1)),
    ("a", b"a"),
    (b"a", bytearray(b"a")),
    ([1], (1,)),
    ([], {}),
    ([[], []], [[]] * 2),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"a": 1}, OrderedDict(a=1)),
    (defaultdict(list), defaultdict(dict)),
    (deque([1], 3), deque([1], 4)),
    (["ab", "c"], ["a", "bc"]),
    ([b"ab", b"c"], [b"a", b"bc"]),
    (None, "None"),
    (range(3), [0, 1, 2]),
    (slice(1), slice(2)),
    (len, max),
    ("a".upper, "b".upper),
    (int, float),
    (Point(1), Point(2)),
    (functools.partial(max, 1), functools.partial(max, 2)),
    (np.zeros(2), np.zeros(3)),
    (np.zeros((2, 3)), np.zeros((3, 2))),
    (np.zeros(2), np.zeros(2, "f4")),
    (np.zeros(2, "<f8"), np.zeros(2, ">f8")),
    (np.array([0.0]), np.array([-0.0])),
    (np.zeros((2, 2)), np.asfortranarray(np.zeros((2, 2)))),
    (np.array(["a", "b"], object), np.array(["a", 1], object)),
    (np.array(["ab", "c"], object), np.array(["a", "bc"], object)),
    (np.ma.masked_array([1, 2], [0, 1]), np.ma.masked_array([1, 2], [1, 0])),
    (np.array([(1, 2)], [("a", "i4"), ("b", "i4")]), np.array([(1, 2)], [("a", "i4"), ("c", "i4")])),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]})),
    (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1, 2]}, index=[1, 0])),
    (pd.DataFrame({"a": [1], "b": [1]}), pd.DataFrame({"b": [1], "a": [1]})),
    (pd.Series([1], name="a"), pd.Series([1], name="b")),
    (pd.Series(["a", "b"]), pd.Series(["a", None])),
    (pd.Categorical(["a"], ["a", "b"]), pd.Categorical(["a"], ["b", "a"])),
    (pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2020")),
    (np.random.default_rng(1), np.random.default_rng(2)),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=lambda value: repr(value).partition(" at 0x")[0][:40])
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    assert digest(one) == digest(copy.deepcopy(one))
    assert digest(one) != digest(other)


def test_a_module_is_its_name() -> None:
    assert digest(math) == digest(math) != digest(np)


def test_a_change_anywhere_inside_changes_the_digest() -> None:
    frame = pd.DataFrame({"a": np.arange(10.0), "s": list("abcdefghij")})
    value = {"deep": [(frame, {"x": np.zeros((3, 3))})]}
    seen = [digest(value)]
    frame.loc[7, "a"] = -1
    seen.append(digest(value))
    frame.loc[7, "s"] = "z"
    seen.append(digest(value))
    value["deep"][0][1]["x"][2, 2] = 1
    seen.append(digest(value))
    frame.attrs["note"] = "new"
    seen.append(digest(value))
    assert len(set(seen)) == 5


def test_an_attribute_set_on_a_frame_counts_though_pandas_does_not_pickle_it() -> None:
    frame = pd.DataFrame({"a": [1]})
    before = digest(frame)
    frame.name = "train"
    named = digest(frame)
    frame.name = "test"
    assert len({before, named, digest(frame)}) == 3
    assert digest(pickle.loads(pickle.dumps(frame))) == before


def test_gaps_between_the_elements_of_an_array_do_not_count() -> None:
    array = np.arange(20).reshape(4, 5)
    assert digest(array[:, ::2]) == digest(array[:, ::2].copy())
    assert digest(array[::-1].copy()) == digest(np.ascontiguousarray(array[::-1]))


def test_a_read_only_array_is_not_a_writable_one() -> None:
    array = np.zeros(2)
    before = digest(array)
    array.flags.writeable = False
    assert digest(array) != before


def test_recursion_of_data_and_functions_ends() -> None:
    loop: list[Any] = []
    loop.append(loop)
    other: list[Any] = [[]]
    assert digest(loop) != digest(other)
    assert digest(in_the_notebook("def f(n): return f(n - 1)")["f"])
    assert digest(in_the_notebook("class C: pass\nC.me = C")["C"])


class Model:
    """Holds a lock two steps inside."""

    def __init__(self) -> None:
        self.steps = [{"lock": types.SimpleNamespace(_lock=threading.Lock())}]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (threading.Lock(), "value"),
        ((n for n in range(3)), "value"),
        ([[threading.Lock()]], "value[0][0]"),
        (Model(), "value.steps[0]['lock']._lock"),
        ([1, threading.Event()], "value[1]._cond._lock"),
        ({frozenset([threading.Lock()])}, "value{...}{...}"),
        (types.SimpleNamespace(f=weakref.ref(threading.Thread())), "value.f"),
        (memoryview(b"ab").__iter__(), "value"),
        (np.array([None, threading.Lock()]), "value[1]"),
        (pd.DataFrame({"a": [1], "b": [threading.Lock()]}), "value['b'][0]"),
        (OrderedDict(a=threading.Lock()), "value['a']"),
        (functools.partial(max, threading.Lock()), "value[0]"),
        (sqlite3.connect(":memory:"), "value"),
    ],
)
def test_what_has_no_content_to_tell_is_undigestible_and_says_where(value: Any, path: str) -> None:
    with pytest.raises(Undigestible) as caught:
        digest(value)
    assert caught.value.path == path


def test_an_open_file_is_undigestible() -> None:
    with open(os.devnull) as file, pytest.raises(Undigestible):
        digest(file)


def test_an_object_whose_reduction_raises_is_undigestible() -> None:
    class Rude:
        def __reduce_ex__(self, protocol: Any) -> Any:
            raise ZeroDivisionError("no")

    with pytest.raises(Undigestible, match="ZeroDivisionError"):
        digest(Rude())


def test_what_is_nested_too_deeply_is_undigestible() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Undigestible, match="deeply"):
        digest(deep)


def test_sharing_is_seen_between_objects_and_between_arrays() -> None:
    walker = Walker({})
    base = np.arange(10)
    inner = [1]
    prints = {
        "base": walker.fingerprint("a", base),
        "view": walker.fingerprint("b", {"deep": base[3:5]}),
        "other": walker.fingerprint("c", np.arange(10)),
        "list": walker.fingerprint("d", [inner]),
        "same": walker.fingerprint("e", (1, inner)),
        "equal": walker.fingerprint("f", [[1]]),
    }
    assert prints["base"].shares_with(prints["view"])
    assert not prints["base"].shares_with(prints["other"])
    assert prints["list"].shares_with(prints["same"])
    assert not prints["list"].shares_with(prints["equal"])
    assert not prints["list"].shares_with(prints["base"])


def test_parts_of_one_array_that_do_not_overlap_do_not_share() -> None:
    base = np.arange(10)
    walker = Walker({})
    assert not walker.fingerprint("a", base[:5]).shares_with(walker.fingerprint("b", base[5:]))


def test_digests_are_the_same_in_another_process() -> None:
    code = """
import sys, numpy as np, pandas as pd
from jupyter_mlops.capture.digest.content import Walker
class C:
    def m(self): return {"b", "a"}
value = [{"x", "y", "z"}, frozenset("abc"), np.arange(5.), pd.DataFrame({"s": ["ä", None]}), C, C(), lambda: C, 0.1]
print(Walker({}).fingerprint("value", value).digest)
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_a_namespace_object_is_its_content() -> None:
    assert digest(types.SimpleNamespace(a=1)) == digest(types.SimpleNamespace(a=1))
    assert digest(types.SimpleNamespace(a=1)) != digest(types.SimpleNamespace(a=2))
