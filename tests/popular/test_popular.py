"""Notebooks with libraries that tests have anyway show the same reused; the table in the docs tells of all notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.oracle.kernels import Zygote

from .playing import Played, names, play
from .table import LEAST, table, written, wrong


@pytest.fixture(scope="module")
def zygotes(own_jupyter_folders: None) -> Iterator[tuple[Zygote, Zygote]]:
    with closing(Zygote(1)) as first, closing(Zygote(2)) as second:
        yield first, second


@pytest.mark.kernel
def test_a_notebook_with_joblib_shows_the_same_and_is_reused(zygotes: tuple[Zygote, Zygote]) -> None:
    played = play("joblib", zygotes)
    assert wrong(played) == []
    assert played.share >= LEAST, played.again


def test_the_table_in_the_docs_tells_of_each_notebook_and_names_what_is_not_kept() -> None:
    rows = written()
    assert [row[0].split()[0] for row in rows] == names()
    for _, again, _, reasons in rows:
        reused, repeatable = map(int, again.split(" of "))
        assert bool(reasons) == (reused < repeatable)


def test_a_cell_that_ran_again_without_a_reason_and_another_output_are_wrong() -> None:
    assert wrong(Played("a", again={"x = 1": "reads the clock"})) == []
    assert wrong(Played("a", again={"x = 1": "no record"})) == ["ran again for no reason: x = 1"]
    assert wrong(Played("a", differs=["c1"])) == ["c1"]
    lost = "a later cell needs 'x', which cannot be stored"
    assert wrong(Played("a", again={"x = 1": f"{lost} (x.file: is an open file)"})) == []
    assert wrong(Played("a", again={"x = 1": lost})) == ["ran again, and no part is named: x = 1"]


def test_the_table_has_a_row_for_each_by_name_with_its_version() -> None:
    told = table(
        [Played("b", 10, 10, 9, 8, 9, {"f(x | y)": "reads the clock"}), Played("a", 9, 9, 9, 8, 8)], {"a": "1.2"}
    )
    assert told.splitlines()[2:] == [
        "| a 1.2 | 9 of 9 | 8 of 8 |  |",
        "| b | 9 of 10 | 8 of 9 | `f(x \\| y)`: reads the clock |",
    ]
