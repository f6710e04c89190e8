"""Digests of values of every kind that notebooks have: the same after pickling, anew, and in another process."""

from __future__ import annotations

import datetime
import json
import os
import pickle
import subprocess
import sys
import types
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from capture.sample_values import VALUES, table
from jupyter_mlops.capture.digest import content as digests
from jupyter_mlops.capture.digest.content import ALGORITHM, Undigestible, Walker

MADE = table()


def digest(value: Any) -> str:
    return Walker({}).fingerprint("value", value).digest


@pytest.mark.parametrize("name", MADE)
def test_a_value_has_one_digest_made_anew_looked_at_again_and_after_pickling(name: str) -> None:
    make = MADE[name]
    value = make()
    expected = digest(value)
    assert digest(value) == expected, "walking changes nothing"
    assert digest(make()) == expected
    assert digest(pickle.loads(pickle.dumps(value, 5))) == expected


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_any_value_has_the_same_digest_after_pickling(value: Any) -> None:
    assert digest(pickle.loads(pickle.dumps(value, 5))) == digest(value)


def test_no_two_kinds_of_values_have_the_same_digest() -> None:
    found: dict[str, str] = {}
    for name, make in MADE.items():
        assert found.setdefault(digest(make()), name) == name


_PROGRAM = """
import json, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
from capture.sample_values import table
from jupyter_mlops.capture.digest.content import Walker
print(json.dumps({name: Walker({}).fingerprint("value", make()).digest for name, make in table().items()}))
"""


def test_digests_are_the_same_in_another_process_with_other_hashes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(Path(__file__).parents[2])],
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {name: digest(make()) for name, make in MADE.items()}


PINNED_VALUES: list[Any] = [
    None,
    -1,
    1 << 70,
    0.1,
    "ä",
    b"a",
    [1, "a", None],
    {"a": [1.5, True]},
    (1, (2,)),
    {1, 2},
    [{"n": number} for number in range(9)],
    slice(1, 2),
    datetime.date(2020, 1, 2),
    Decimal("1.50"),
    PurePosixPath("a/b"),
    max,
    np.arange(3, dtype="<i8"),
    np.zeros((2, 2), "<f4", order="F"),
    np.array(["a", 1], object),
    np.float64(2),
]
PINNED = [
    "626d368fe0e74b4f1a038927df1311d6",
    "a18acdf4375c4f8363f195859429a96e",
    "8a67e0a1426323ecfbfd4458dfb58647",
    "ca2dea3b3546c08deb63d9ea6683c5a9",
    "3c9718de54f2c72d72f4f1c6c598fce2",
    "41c479d7b183cfc8669f108a50292811",
    "14ea2b20e24d29122042548f5471f311",
    "a548cf62a77226d6fb6aa67900df5cae",
    "f81a1af884a10f18894002e14baeac57",
    "766fe1cfa622d6ec607ca7ff8f3241d6",
    "5c7a87dc5ac858547abb21379c3c9b2b",
    "14cc42cad532293a2c4ac5db9f4cf805",
    "e283212931cb286a49a35ea554b06040",
    "2a2e2f61307ace785a07fe2d44ddfaee",
    "0aea72b4817a38073701edd108e3f031",
    "129226c7edbdda67dcdba20a0910859e",
    "c2acd451d324829959de74d2755995a0",
    "a4986e7106bca78377f0f7a0e55f338a",
    "66fe34d3c7e3c9e2f90768f4cd7abc8f",
    "3faf63eab7324642bf017be80137bcb3",
]


@pytest.mark.parametrize(("value", "expected"), list(zip(PINNED_VALUES, PINNED, strict=True)), ids=repr)
def test_the_canonical_form_changes_only_with_the_name_of_the_algorithm(value: Any, expected: str) -> None:
    assert ALGORITHM == "xxh3-128:2"
    assert digest(value) == expected


@pytest.mark.parametrize("path", ["value", "value[1].x", "value[0]"])
def test_figures_are_refused_at_once(path: str) -> None:
    figure, axes = plt.subplots(2)
    try:
        value = {"value": figure, "value[1].x": [1, pd.Series([1]).__class__, axes], "value[0]": axes}[path]
        with pytest.raises(Undigestible, match="tied to this process") as caught:
            digest(value)
        assert caught.value.path.startswith(path[:5])
    finally:
        plt.close(figure)


def test_a_walk_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "BUDGET_SECONDS", 0.05)
    nested: Any = ()
    for _ in range(60):
        nested = (nested, nested)
    with pytest.raises(Undigestible, match="takes over"):
        digest(nested)
    with pytest.raises(Undigestible, match="takes over"):
        digest([object() for _ in range(1_000_000)])


def _changes(value: Any) -> list[Any]:
    """The value with each single item, deep inside, made another, one at a time."""
    if isinstance(value, dict):
        return [{**value, key: new} for key, item in value.items() for new in _changes(item)]
    if isinstance(value, (list, tuple)):
        parts = list(value)
        return [
            type(value)([*parts[:place], new, *parts[place + 1 :]])
            for place in range(len(parts))
            for new in _changes(parts[place])
        ]
    return [f"{value}!"] if isinstance(value, str) else [value + 1]


@pytest.mark.parametrize(
    "value",
    [
        [{"a": number, "b": [number, str(number)]} for number in range(20)],
        [(number, float(number)) for number in range(20)],
        {f"k{number}": [number] for number in range(20)},
        [[[1, 2], [3]], [[4]], {"x": {"y": [5, (6, 7)]}}],
        {"rows": [{"a": 1}] * 3, "n": 1},
    ],
    ids=lambda value: repr(value)[:30],
)
def test_every_item_however_deep_counts(value: Any) -> None:
    expected = digest(value)
    changed = [digest(item) for item in _changes(value)]
    assert expected not in changed
    assert len(set(changed)) >= len(changed) - 2


@pytest.mark.parametrize("size", [4095, 4096, 4097, 9000])
def test_items_around_the_size_of_a_chunk_count(size: int) -> None:
    for item in (1, [1], {"a": 1}, (1,), np.int64(1)):
        values: list[Any] = [item if type(item) in (int, tuple, np.int64) else type(item)(item) for _ in range(size)]
        before = digest(values)
        assert digest(pickle.loads(pickle.dumps(values))) == before
        values[-1] = None
        assert digest(values) != before


def test_aliases_within_a_value_count_also_in_large_ones() -> None:
    row = {"a": 1}
    apart: list[Any] = [{"a": 1} for _ in range(100)]
    assert digest([row, *apart[1:]]) == digest(apart)
    assert digest([row, row, *apart[2:]]) != digest(apart)
    assert digest([[row], [dict(row), *apart[1:]]]) != digest([[row], [row, *apart[1:]]])


def test_views_within_a_value_count() -> None:
    base = np.zeros(10)
    assert digest([base, base[2:]]) != digest([base, base[:8]]) != digest([base, np.zeros(8)])
    assert digest([base[:5], base[5:]]) == digest([np.zeros(5), np.zeros(5)])
    table = np.zeros((4, 4))
    assert digest([table[:, 0], table[:, 1]]) == digest([np.zeros(4), np.zeros(4)]), "columns lie between one another"


def test_many_small_arrays_are_told_apart_from_views_of_one() -> None:
    base = np.zeros((2000, 3))
    assert digest(list(base)) == digest([np.zeros(3) for _ in range(2000)])


READS: dict[str, Callable[[Any], Any]] = {
    "frame": lambda frame: (
        frame.describe(include="all"),
        frame.values,
        frame.groupby("a").sum(),
        repr(frame),
        frame.T,
    ),
    "frame in blocks": lambda frame: (frame.sum(axis=1), frame.corr(), frame.query("a > 1"), frame["a"].to_numpy()),
    "frame with levels": lambda frame: (frame.loc["a"], frame.unstack(), frame.index.is_unique, frame.sort_index()),
    "date index": lambda index: (index.get_loc(index[1]), index.is_monotonic_increasing, index.freqstr),
    "category": lambda series: (series.cat.codes, series.value_counts(), series == "a"),
    "grouped": lambda grouped: (grouped.mean(), grouped.groups, grouped.indices, len(grouped)),
    "csr matrix": lambda matrix: (
        matrix @ np.ones(3),
        matrix.has_sorted_indices,
        matrix.has_canonical_format,
        matrix.T,
    ),
    "coo array": lambda matrix: (matrix.tocsr(), matrix.sum(), matrix.toarray()),
    "masked": lambda array: (array.mean(), array.fill_value, array.filled(), repr(array)),
    "masked, nothing hidden": lambda array: (array.fill_value, array.mask, array.sum()),
    "regression": lambda model: (model.predict(np.ones((1, 4))), model.score, model._repr_html_()),
    "forest": lambda model: (model.predict(np.ones((1, 4))), model.feature_importances_),
    "neighbours": lambda model: model.predict(np.ones((1, 4))),
    "words": lambda model: (model.transform(["a bc"]), model.get_feature_names_out()),
    "iris": lambda bunch: (bunch.data, bunch["target"], dir(bunch)),
    "generators": repr,
    "paths": lambda paths: (str(paths[0]), paths[0].name, hash(paths[0])),
    "partial": vars,
    "namespace": vars,
}


@pytest.mark.parametrize("name", READS)
def test_reading_a_value_does_not_change_its_digest(name: str) -> None:
    value = MADE[name]()
    before = digest(value)
    READS[name](value)
    assert digest(value) == before


MARK = """
class Undefined:
    made = None

    def __new__(cls):
        if cls.made is None:
            cls.made = object.__new__(cls)
        return cls.made

class Each:
    def __new__(cls):
        cls.last = object.__new__(cls)
        return cls.last

undefined, each = Undefined(), Each()
"""


def test_a_librarys_mark_that_there_is_one_of_is_shared_by_no_two_values(monkeypatch: pytest.MonkeyPatch) -> None:
    library = types.ModuleType("mlopsmark")
    monkeypatch.setitem(sys.modules, "mlopsmark", library)
    exec(MARK, vars(library))
    walker = digests.Walker({})

    def share(mark: Any) -> bool:
        return walker.fingerprint("a", [mark]).shares_with(walker.fingerprint("b", {"x": mark}))

    assert not share(library.undefined)
    assert share(library.each)
    library.undefined.note = "a"
    assert share(library.undefined)
    del library.undefined.note
    assert not share(library.undefined)
    del vars(library)["undefined"]
    assert share(library.Undefined())
