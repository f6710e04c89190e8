from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.jobs.client import joined


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        (["a", "b\n", "c"], "ab\nc"),
        (["10%\r", "20%\r", "30%\n"], "30%\n"),
        (["10%\r20%\r30%"], "30%"),
        (["kept\n10%", "\r20%"], "kept\n20%"),
        (["dos\r\n", "line\r\n"], "dos\r\nline\r\n"),
        (["ab\b", "c"], "ac"),
    ],
)
def test_pieces_of_a_stream_join_as_a_terminal_shows_them(pieces: list[str], whole: str) -> None:
    text = ""
    for piece in pieces:
        text = joined(text, piece)
    assert text == whole


@given(st.lists(st.text(alphabet="ab\n")))
def test_plain_text_is_only_appended(pieces: list[str]) -> None:
    text = ""
    for piece in pieces:
        text = joined(text, piece)
    assert text == "".join(pieces)
