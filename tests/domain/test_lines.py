"""Lines one by one are those of `splitlines`, and of a long text no more is taken apart than is looked at."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.analysis.pipeline.cells import all_steps_of, label_of, split_magic
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.lines import lines_of
from jupyter_mlops.operations.steps.plan import working

LONG = "t = '''\n" + "abcdefg\n" * 2_500_000 + "'''"


@given(st.text(alphabet="ab \n\r\x0b\x0c\x1c\x85\u2028"), st.booleans())
def test_they_are_the_lines_that_python_finds(text: str, keepends: bool) -> None:
    assert list(lines_of(text, keepends=keepends)) == text.splitlines(keepends)


@pytest.mark.parametrize("source", [LONG, f"%%step load\n{LONG}"])
def test_a_cell_of_megabytes_is_not_taken_apart_to_see_which_step_it_is(source: str) -> None:
    cells = [Cell(0, "0123abcd", "code", source)]
    tracemalloc.start()
    try:
        (step,), _ = all_steps_of(working(cells))
        label_of(step)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(source)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("%%step a\nx = 1\n", "# %%step a\nx = 1\n"),
        ("\n \n%%step a\r\nx = 1", "# %%step a\r\nx = 1"),
        ("%%step a\n%%time\nx = 1", "%%time\nx = 1"),
        ("%%step a", "# %%step a"),
        ("%%step a\x0cb\nx = 1", "# %%step a\x0cb\nx = 1"),
    ],
)
def test_the_line_of_a_step_becomes_a_comment(source: str, code: str) -> None:
    spec, found = split_magic(source)
    assert spec is not None
    assert (spec.name, found) == ("a", code)


@pytest.mark.parametrize("source", ["", "\n\n", "x = 1", "%%stepa\nx", "x = 1\n%%step a", "# a\n%%step a"])
def test_a_cell_without_it_on_top_stays_as_it_is(source: str) -> None:
    assert split_magic(source) == (None, source)
