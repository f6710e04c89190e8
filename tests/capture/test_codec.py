"""Values to bytes and back: nothing is lost, aliases stay aliases, and what turns stale is not stored."""

from __future__ import annotations

import math
import threading
import types
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_mlops.capture import codec
from jupyter_mlops.capture.digest import Walker

from .values import VALUES


def joined(values: dict[str, Any]) -> bytearray:
    return bytearray(b"".join(bytes(chunk) for chunk in codec.dump(values)))


def there_and_back(values: dict[str, Any]) -> dict[str, Any]:
    return codec.load(joined(values))


def digest(value: Any) -> str:
    return Walker({}).fingerprint("value", value).digest


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_a_value_comes_back_with_the_digest_it_had(value: Any) -> None:
    before = digest(value)
    again = there_and_back({"value": value})["value"]
    assert type(again) is type(value)
    assert digest(again) == before
    assert digest(value) == before, "storing does not change it"


@given(st.lists(st.integers(0, 2), min_size=1, max_size=6))
def test_aliases_stay_aliases(shape: list[int]) -> None:
    objects: list[Any] = [[], {}, np.zeros(2)]
    values = {f"name{number}": objects[choice] for number, choice in enumerate(shape)}
    again = there_and_back(values)
    for one in values:
        for other in values:
            assert (again[one] is again[other]) is (values[one] is values[other])


def test_a_view_and_its_base_stay_one_memory_or_are_told_apart() -> None:
    """Where they come back as two, their fingerprints share no memory, as the originals did; so it can be seen."""
    base = np.arange(10)
    values = {"base": base, "view": base[2:5]}
    again = there_and_back(values)
    assert again["view"].tolist() == [2, 3, 4]
    walker = Walker({})
    before = walker.fingerprint("a", values["base"]).shares_with(walker.fingerprint("b", values["view"]))
    assert before


@pytest.mark.parametrize(
    "value",
    [math.nan, -0.0, math.inf, np.float64("nan"), 10**300, "\ud800", "\0", b"\0", pd.NaT, pd.NA, pd.Timestamp(0)],
    ids=repr,
)
def test_odd_values_come_back(value: Any) -> None:
    again = there_and_back({"v": value})["v"]
    assert type(again) is type(value)
    assert repr(again) == repr(value)


def test_arrays_come_back_writable_aligned_and_in_their_order() -> None:
    values = {"c": np.arange(12.0).reshape(3, 4), "f": np.asfortranarray(np.arange(12.0).reshape(3, 4)), "one": b"x"}
    again = there_and_back(values)
    assert again["f"].flags.f_contiguous
    assert not again["f"].flags.c_contiguous
    for name in ("c", "f"):
        assert again[name].flags.writeable
        assert again[name].flags.aligned
        np.testing.assert_array_equal(again[name], values[name])
    again["c"][0, 0] = 9
    assert values["c"][0, 0] == 0


def test_a_read_only_array_comes_back_read_only() -> None:
    array = np.arange(3)
    array.flags.writeable = False
    assert not there_and_back({"a": array})["a"].flags.writeable


def test_large_buffers_are_not_copied_into_the_pickle() -> None:
    array = np.zeros(1 << 20)
    chunks = codec.dump({"array": array})
    views = [chunk for chunk in chunks if isinstance(chunk, memoryview)]
    assert any(view.nbytes == array.nbytes for view in views)
    assert sum(len(chunk) for chunk in chunks if isinstance(chunk, bytes)) < 2000


def test_modules_are_stored_by_name() -> None:
    assert there_and_back({"m": math})["m"] is math


def in_the_notebook(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(code, namespace)
    return namespace


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("def made(): pass", "function 'made'"),
        ("class made: pass", "class 'made'"),
        ("class C: pass\nmade = C()", "class 'C'"),
        ("class C: pass\nmade = [1, {'deep': (C(),)}]", "class 'C'"),
        ("made = lambda: 1", "function '<lambda>'"),
        ("import functools\ndef f(x): pass\nmade = functools.partial(f, 1)", "function 'f'"),
    ],
)
def test_what_the_notebook_defines_is_not_stored(code: str, word: str) -> None:
    with pytest.raises(codec.Unstorable, match=word):
        codec.dump({"made": in_the_notebook(code)["made"]})


@pytest.mark.parametrize("value", [threading.Lock(), (n for n in ()), types.SimpleNamespace(x=lambda: 1)], ids=repr)
def test_what_cannot_be_pickled_is_told(value: Any) -> None:
    with pytest.raises(codec.Unstorable):
        codec.dump({"value": value})


def test_a_value_nested_too_deeply_is_told() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(codec.Unstorable, match="deeply"):
        codec.dump({"deep": deep})


def test_a_value_whose_pickling_raises_is_told() -> None:
    class Rude:
        def __reduce__(self) -> Any:
            raise ZeroDivisionError("no")

    with pytest.raises(codec.Unstorable, match="ZeroDivisionError: no"):
        codec.dump({"rude": Rude()})


@pytest.mark.parametrize("data", [b"", b"rubbish", b"mlops-values-2\n" + b"\0" * 100])
def test_bytes_of_another_format_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no stored values"):
        codec.load(bytearray(data))
