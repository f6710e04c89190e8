"""What cannot be stored is named by its path; what is shared in a way that cannot be kept is told, never split."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from jupyter_mlops.capture.values import pack

from .values_store import failure, notebook, trip


class Holder:
    """Holds what it is given."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)


class Rude:
    """Cannot be pickled, and says so badly."""

    def __reduce__(self) -> Any:
        raise ZeroDivisionError("no")


def test_the_part_that_cannot_be_stored_is_named() -> None:
    lock = threading.Lock()
    told = "cannot pickle '_thread.lock' object"
    assert failure(lock) == f"value: {told}"
    assert failure([1, {"deep": (2, lock)}]) == f"value[1]['deep'][1]: {told}"
    assert failure(Holder(model=Holder(callbacks=[1, 2, lock]))) == f"value.model.callbacks[2]: {told}"
    assert failure(Rude()) == "value: ZeroDivisionError: no"
    assert failure(n for n in ()) == "value: cannot pickle 'generator' object"


def test_the_part_is_named_through_functions_and_classes_of_the_notebook() -> None:
    namespace = notebook(
        """
import threading
class A:
    lock = threading.Lock()
    def get(self):
        return __class__
def outer():
    lock = threading.Lock()
    return lambda: lock
a, f = A(), outer()
"""
    )
    assert failure(namespace["A"], namespace) == "value.lock: cannot pickle '_thread.lock' object"
    assert failure(namespace["f"], namespace) == "value -> lock: cannot pickle '_thread.lock' object"
    assert failure(namespace["a"], namespace).endswith(".lock: cannot pickle '_thread.lock' object")


def test_files_connections_and_figures_are_told(tmp_path: Path) -> None:
    mpl.use("agg")
    from matplotlib.figure import Figure

    with open(tmp_path / "file", "w+") as file, socket.socket() as connection:
        assert failure(file) == "value: is an open file"
        assert failure({"log": file}) == "value['log']: is an open file"
        assert "socket" in failure(connection)
    database = sqlite3.connect(":memory:")
    assert "sqlite3.Connection" in failure(database)
    database.close()
    assert "matplotlib figure" in failure([Figure()])
    assert failure([Figure().subplots()]).startswith("value[0]: is a matplotlib figure")
    mapped = np.memmap(tmp_path / "mapped", dtype="i8", mode="w+", shape=(3,))
    assert failure(mapped) == "value: is a file mapped into memory for writing"


def test_a_value_nested_too_deeply_is_told() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert failure(deep) == "value: it is nested too deeply"


def test_other_components_are_packed_and_all_names_of_the_failed_one_are_told() -> None:
    lock = threading.Lock()
    packed = pack([{"good": 1}, {"bad": lock, "with": [1]}, {"fine": 2}], {})
    assert [component.names for component in packed.components] == [("good",), ("fine",)]
    assert packed.failed == dict.fromkeys(["bad", "with"], "bad: cannot pickle '_thread.lock' object")


@pytest.fixture
def copy_on_write() -> Iterator[None]:
    """As pandas 3 is; pandas 2 where it is told to be."""
    if pd.__version__ >= "3":
        yield
    else:
        with pd.option_context("mode.copy_on_write", True):
            yield


@pytest.mark.usefixtures("copy_on_write")
def test_frames_that_share_memory_behind_copy_on_write_come_back_as_copies_of_each_other() -> None:
    frame = pd.DataFrame({"a": np.arange(4.0), "c": pd.Categorical(list("xyxy")), "n": pd.array([1, 2, 3, None])})
    values = {"frame": frame, "shallow": frame.copy(deep=False), "column": frame["a"], "rows": frame.iloc[:2]}
    again = trip(values)
    again["frame"].loc[0, "a"] = 9.0
    again["frame"].loc[0, "c"] = "y"
    again["frame"].loc[0, "n"] = 7
    for name in ("shallow", "column", "rows"):
        (pd.testing.assert_series_equal if name == "column" else pd.testing.assert_frame_equal)(
            again[name], values[name]
        )
    again["shallow"].iloc[1, 0] = 5.0
    assert again["column"][1] == 1.0


@pytest.mark.usefixtures("copy_on_write")
def test_an_index_made_of_a_column_does_not_change_with_it() -> None:
    frame = pd.DataFrame({"a": np.arange(40_000)})
    frame.index = pd.Index(frame["a"])
    again = trip({"frame": frame})["frame"]
    again.loc[0, "a"] = 5
    assert again.index[0] == 0


@pytest.mark.usefixtures("copy_on_write")
def test_an_array_that_sees_the_memory_of_a_frame_sees_it_after_loading() -> None:
    for size in (4, 40_000):
        array = np.arange(float(size)).reshape(2, -1)
        frame = pd.DataFrame(array, copy=False)
        again = trip({"array": array, "frame": frame})
        again["array"][0, 1] = -5.0
        assert again["frame"].iloc[0, 1] == -5.0
        seen = frame.to_numpy()
        again = trip({"seen": seen, "frame": frame})
        assert not again["seen"].flags.writeable
        assert np.shares_memory(again["seen"], again["frame"].to_numpy())


@pytest.mark.usefixtures("copy_on_write")
def test_an_array_that_sees_memory_which_pandas_would_copy_before_writing_is_a_copy() -> None:
    frame = pd.DataFrame({"a": np.arange(4.0), "b": np.ones(4)})
    column, seen = frame["a"], frame["a"].to_numpy()
    again = trip({"frame": frame, "column": column, "seen": seen})
    again["frame"].loc[0, "a"] = 5.0
    frame.loc[0, "a"] = 5.0
    assert again["seen"][0] == seen[0] == 0.0


@pytest.mark.usefixtures("copy_on_write")
@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("kind", ["two frames", "matrix", "column of objects"])
def test_sharing_that_cannot_be_kept_is_told(kind: str) -> None:
    array = np.arange(4.0)
    objects = np.array(["a", None, 1], dtype=object)
    values: dict[str, Any] = {
        "two frames": lambda: (
            frame := pd.DataFrame(array.reshape(-1, 1), columns=["a"], copy=False),
            frame["a"],
            array,
        ),
        "matrix": lambda: [array, np.matrix(array, copy=False)],
        "column of objects": lambda: [objects, pd.Series(objects, copy=False)],
    }
    made = values[kind]()
    assert "memory" in failure(made)
    for part in made:
        trip({"part": part})
