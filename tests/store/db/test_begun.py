"""Of a JSON object that takes megabytes what a list shows is what reading all of it would give, and the rest is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.domain.brief import LeftOut
from jupyter_mlops.store.db.begun import excerpt, excerpt_of_numbers, items_from

TEXTS = st.text(alphabet='ab"\\,: {}[]é\U0001f600\n\ud800', max_size=60)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=8), st.integers(min_value=2, max_value=200))
def test_an_excerpt_never_tells_another_value_and_never_drops_one_in_silence(values: dict[str, Any], most: int) -> None:
    items, left = excerpt(json.dumps(values), most)
    assert list(items) == list(values)[: len(items)]
    for name, value in items.items():
        if name not in left.texts:
            assert value == values[name]
        elif isinstance(values[name], str):
            assert values[name].startswith(value.removesuffix("…"))
        else:
            assert json.dumps(values[name]).startswith(value.removesuffix("…"))
    if len(items) < len(values):
        assert left.unread > 0


@pytest.mark.parametrize("number", [1e16, -2.5e-7, 1.25, 120])
def test_a_number_that_is_cut_anywhere_is_no_other_number(number: float) -> None:
    text = json.dumps({"a": number, "b": 1})
    for most in range(2, len(text)):
        items, _ = excerpt(text, most)
        assert items.get("a", number) == number


@given(st.dictionaries(TEXTS, st.integers() | TEXTS, min_size=1, max_size=6), st.integers(min_value=120, max_value=200))
def test_what_stands_behind_a_long_text_is_told_too(values: dict[str, Any], most: int) -> None:
    given = {"long": 'say "x", " and \\' * 40, **{f"n{name}"[:4]: value for name, value in values.items()}}
    items, left = excerpt(json.dumps(given), most)
    assert "long" in left.texts
    assert len(items) > 1


def test_of_a_text_is_told_how_long_it_is_and_what_follows() -> None:
    items, left = excerpt(json.dumps({"rate": 0.5, "text": "a" * 4_000_000, "depth": 3}), 1000)
    assert items["rate"] == 0.5
    assert items["depth"] == 3
    assert left == LeftOut(texts={"text": 4_000_000})


def test_of_a_long_list_the_beginning_is_told_and_how_much_is_not_read() -> None:
    text = json.dumps({"rows": list(range(100_000)), "rate": 0.5})
    items, left = excerpt(text, 1000)
    assert items["rows"].startswith("[0, 1, 2, ")
    assert left.unread == len(text) - 1000


def test_numbers_are_counted_to_the_last() -> None:
    values = {f"metric_{place}": place / 7 for place in range(5000)} | {"nan": float("nan"), "inf": float("inf")}
    items, left = excerpt_of_numbers(json.dumps(values), 1000)
    assert items == {name: values[name] for name in items}
    assert left == LeftOut(items=5002 - len(items))


@pytest.mark.parametrize("nested", [{}, {"output": None, "force": 1}, {"x": ', "output": null}'}])
def test_the_items_behind_a_large_one_are_found_from_the_end(nested: dict[str, Any]) -> None:
    options = {"given": {"text": "a" * 100, "nested": nested}, "output": "o.ipynb", "workers": 3}
    text = json.dumps(options)
    assert items_from("output", text[-60:], {"output", "workers"}) == {"output": "o.ipynb", "workers": 3}
    assert items_from("output", json.dumps({"output": 1, "given": {}})[-20:], {"output"}) is None
