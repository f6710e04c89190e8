"""Telling a value's content: how long it takes by kind of value, beside numpy summing as many bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.measuring import median, ratio
from jupyter_mlops.capture.digest.content import Walker
from jupyter_mlops.verbs.framework.tables import table

ROUNDS = 5
ROWS = 1_000_000
LARGE = 125_000_000
"""Numbers of eight bytes in a gigabyte."""


def tables() -> Iterator[Table]:
    """Two tables: a gigabyte of numbers in several forms, and a million of other things."""
    numbers = np.random.default_rng(1).random(LARGE)
    made = table("", "size>", "median>", "GB/s>", "of numpy's sum>")
    made.title = f"Digest of a value of 1 GB, {ROUNDS} rounds by turns with numpy.sum"
    for name, value in _large(numbers):
        took, base = _by_turns(lambda value=value: _digest(value), numbers.sum)
        size = numbers.nbytes / 1e9
        made.add_row(name, f"{size:.1f} GB", f"{took:.3f} s", f"{size / took:.1f}", ratio(base, took))
    yield made
    made = table("", "items>", "median>", "per item>")
    made.title = f"Digest of many small things, {ROUNDS} rounds"
    for name, make, count in SMALL:
        value = make()
        took = median([_seconds(lambda value=value: _digest(value)) for _ in range(ROUNDS)])
        made.add_row(name, f"{count:,}", _spell(took), _spell(took / count))
    yield made


def _large(numbers: Any) -> Iterator[tuple[str, Any]]:
    columns = numbers.reshape(10, -1)
    yield "array", numbers
    yield "array, 10 columns, Fortran order", columns.T
    yield "frame of 10 columns", pd.DataFrame({f"c{place}": row for place, row in enumerate(columns)}, copy=False)
    mixed = {f"c{place}": row.view("i8") if place % 2 else row for place, row in enumerate(columns)}
    yield "frame of 10 columns, int64 and float64", pd.DataFrame(mixed, copy=False)
    yield "frame of one array, rows first", pd.DataFrame(numbers.reshape(-1, 10), copy=False)
    yield "frame of one array, columns first", pd.DataFrame(columns.T, copy=False)


def _words() -> Any:
    return pd.Series([f"name {number}" for number in range(ROWS)])


def _rows() -> list[Any]:
    return [{"id": number, "name": str(number), "score": number / 7} for number in range(300_000)]


SMALL: tuple[tuple[str, Callable[[], Any], int], ...] = (
    ("text column (arrow)", lambda: _words().astype("string[pyarrow]"), ROWS),
    ("text column (objects)", lambda: _words().astype(object), ROWS),
    ("categories", lambda: (_words().str[-1]).astype("category"), ROWS),
    ("times", lambda: pd.Series(pd.date_range("2000", periods=ROWS, freq="min", tz="UTC")), ROWS),
    ("list of int", lambda: list(range(ROWS)), ROWS),
    ("list of str", lambda: [str(number) for number in range(ROWS)], ROWS),
    ("set of str", lambda: {str(number) for number in range(ROWS)}, ROWS),
    ("list of small dicts", _rows, 300_000),
    ("list of small arrays", lambda: list(np.zeros((20_000, 3))), 20_000),
    ("list of timestamps", lambda: list(pd.date_range("2000", periods=100_000)), 100_000),
    ("an int", lambda: 1, 1),
    ("a short list", lambda: [1, 2, 3], 1),
    ("a small array", lambda: np.zeros(3), 1),
    ("a small frame", lambda: pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), 1),
    ("a notebook's function", lambda: _function, 1),
)


def _function(frame: Any) -> Any:
    return frame.assign(total=np.sum(frame["a"]))


_function.__module__ = "__main__"


def _digest(value: Any) -> None:
    Walker(globals()).fingerprint("value", value)


def _by_turns(one: Callable[[], Any], other: Callable[[], Any]) -> tuple[float, float]:
    pairs = [(_seconds(one), _seconds(other)) for _ in range(ROUNDS)]
    return median([first for first, _ in pairs]), median([second for _, second in pairs])


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _spell(seconds: float) -> str:
    if seconds >= 0.1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.2f} µs"
