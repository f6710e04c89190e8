"""Two versions side by side: where there is room, and only what changes the meaning."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from jupyter_mlops.operations.steps.why import code_diff
from jupyter_mlops.verbs.steps.diff_view import Difference, meaning


def shown(before: str, after: str, *, width: int = 120, terminal: bool = True, unified: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, legacy_windows=False)
    names = "s v1", "s v2"
    console.print(Difference(before, after, names, code_diff(before, after, names), unified=unified))
    return [line.rstrip() for line in str(console.file.getvalue()).splitlines()]  # type: ignore[attr-defined]


def test_lines_that_belong_together_stand_side_by_side() -> None:
    lines = shown("a = 1\nb = 2\nc = 3", "a = 1\nb = 20\nc = 3\nd = 4")
    assert lines[0].split() == ["s", "v1", "s", "v2"]
    assert lines[2].split() == ["2", "b", "=", "2", "2", "b", "=", "20"]
    assert lines[4].split() == ["4", "d", "=", "4"]


@pytest.mark.parametrize("how", [{"width": 99}, {"terminal": False}, {"unified": True}])
def test_where_there_is_no_room_it_is_unified(how: dict[str, int]) -> None:
    assert "-b = 2" in shown("a = 1\nb = 2", "a = 1\nb = 3", **how)  # type: ignore[arg-type]


def test_a_long_part_that_is_equal_is_left_out() -> None:
    same = "\n".join(f"x{index} = {index}" for index in range(40))
    lines = shown(f"a = 1\n{same}\nb = 1", f"a = 2\n{same}\nb = 2")
    assert len(lines) == 12
    assert any("⋯" in line for line in lines)


@pytest.mark.parametrize(
    ("one", "other"),
    [("x = 1  # why", "x=1"), ("f( a,b )", "f(a, b)"), ("# a remark", ""), ("    y = 'a  b'", "    y  =  'a  b'")],
)
def test_comments_and_spaces_are_no_difference(one: str, other: str) -> None:
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(
    ("one", "other"), [("x = 1", "x = 2"), ("  x = 1", "x = 1"), ("'a b'", "'a  b'"), ("'#'", "'#a'")]
)
def test_what_changes_the_meaning_is_one(one: str, other: str) -> None:
    assert meaning(one) != meaning(other)


def test_source_that_is_no_python_by_itself_is_compared_as_it_stands() -> None:
    assert meaning("  ''' a text # here") != meaning("  ''' a text")


def test_a_line_longer_than_a_column_is_folded_and_no_markup() -> None:
    text = "\n".join(shown("x = '[red]'", f"x = '{'ab' * 60}[/]'"))
    assert "[red]" in text
    assert text.count("ab") >= 58
