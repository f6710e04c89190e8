"""What a text with carriage returns leaves standing: JupyterLab's rules, whatever the pieces it comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.domain.terminal import Screen, first_kept, standing


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("10%\r55%\r100%\n", "100%\n"),
        ("hello world\rbye\n", "byelo world\n"),
        ("one\ntwo\rT\n", "one\nTwo\n"),
        ("dos\r\nline\r\n", "dos\r\nline\r\n"),
        ("abc\b\bX", "aX"),
        ("\b\bx", "x"),
        ("last\r", "last\r"),
        ("long line\rab\rc", "cbng line"),
    ],
)
def test_a_carriage_return_writes_over_what_is_on_the_line_and_leaves_the_rest(text: str, left: str) -> None:
    assert standing(text) == left


@given(st.text(alphabet="ab\n\r\b", max_size=30), st.integers(1, 5))
def test_the_pieces_in_which_a_text_comes_make_no_difference(text: str, size: int) -> None:
    screen = Screen()
    for start in range(0, len(text), size):
        screen.feed(text[start : start + size])
    assert screen.take() == standing(text) == _slowly(text)
    screen.feed("x\n")
    assert screen.take() == _slowly(text + "x\n")


def _slowly(text: str) -> str:
    """The same sign by sign."""
    done, line, column, returned = "", "", 0, False
    for sign in text:
        if sign == "\n":
            done, line, column = done + line + ("\r\n" if returned else "\n"), "", 0
        elif sign == "\r":
            column = 0
        elif sign == "\b":
            line, column = (line[: column - 1] + line[column + 1 :], column - 1) if column else (line, column)
        else:
            line, column = line[:column] + sign + line[column + 1 :], column + 1
        returned = sign == "\r"
    return done + line + ("\r" if returned else "")


def test_the_last_characters_begin_with_a_whole_line_where_there_is_one() -> None:
    assert first_kept("one\ntwo\nthree", 8) == 8
    assert first_kept("one\ntwo\nthree", 9) == 4
    assert first_kept("abcdef", 2) == 4
    assert first_kept("ab", 5) == 0


def test_the_beginning_can_be_forgotten_while_a_line_is_written_over() -> None:
    screen = Screen()
    screen.feed("first\nsecond\nabcdef\rxy")
    assert screen.keep_last(7) == len("first\nsecond\n")
    screen.feed("z")
    assert screen.take() == "xyzdef"
    assert screen.length == 6
