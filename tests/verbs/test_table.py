"""The words every table shares: durations, ages, states, pairs; and the splitting of a magic's line."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.domain.status import Status, StepState
from jupyter_mlops.errors import InputError
from jupyter_mlops.verbs.framework import tables
from jupyter_mlops.verbs.table import split


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0.0, "0 ms"), (0.0123, "12 ms"), (1.0, "1.0 s"), (119.94, "119.9 s"), (120, "2.0 min")],
)
def test_durations_are_for_people(value: float | None, text: str) -> None:
    assert tables.seconds(value) == text


@pytest.mark.parametrize(
    ("passed", "text"), [(3, "3 s ago"), (90, "2 min ago"), (7200, "2 h ago"), (200_000, "2 d ago"), (-100, "0 s ago")]
)
def test_ages_are_for_people(passed: float, text: str) -> None:
    assert tables.ago(datetime.now(timezone.utc) - timedelta(seconds=passed)) == text
    assert tables.ago(None) == ""


@pytest.mark.parametrize("value", [*Status, *StepState])
def test_every_state_has_its_colour(value: object) -> None:
    assert str(value) in tables.STYLES
    assert str(value).replace("_", " ") in tables.state(value)


@pytest.mark.parametrize(
    ("values", "text"),
    [({}, ""), ({"a": 1, "b": 0.123456}, "a=1  b=0.1235"), ({"t": True}, "t=True"), ({"s": "[b]"}, "s=\\[b]")],
)
def test_pairs_are_short_and_no_markup(values: dict[str, Any], text: str) -> None:
    assert tables.pairs(values) == text


def test_a_column_whose_name_ends_with_an_arrow_is_flush_right() -> None:
    made = tables.table("name", "took>")
    assert [(column.header, column.justify) for column in made.columns] == [("name", "left"), ("took", "right")]


@given(st.lists(st.text("abc -='", max_size=6), max_size=4))
def test_a_line_is_split_as_a_shell_does(words: list[str]) -> None:
    import shlex

    assert split(shlex.join(words)) == words


def test_open_quotes_are_told() -> None:
    with pytest.raises(InputError, match="cannot be read") as caught:
        split("log 'train")
    assert caught.value.hint == "Close the quotes."
