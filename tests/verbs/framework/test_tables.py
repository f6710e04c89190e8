"""How numbers and tables look."""

from __future__ import annotations

import pytest

from jupyter_mlops.verbs.framework.tables import number, pairs


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (300.0, "300"),
        (-200.0, "-200"),
        (123456.789, "123457"),
        (9999.96, "10000"),
        (12.5, "12.5"),
        (0.123456, "0.1235"),
        (0.00012345, "0.0001234"),
        (1.2e-07, "1.2e-07"),
        (1e20, "1e+20"),
        (0.0, "0"),
        (7, "7"),
        (12345678, "12345678"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_a_number_keeps_what_stands_before_its_point(value: float, text: str) -> None:
    assert number(value) == text


def test_columns_of_numbers_keep_their_zeros_and_differences_their_sign() -> None:
    assert (number(0.5, zeros=True), number(0.0, zeros=True), number(300.0, zeros=True)) == ("0.5000", "0.000", "300.0")
    assert (number(0.25, 3, sign="+"), number(-200.0, 3, sign="+"), number(5, sign="+")) == ("+0.25", "-200", "+5")


def test_pairs_are_of_parameters_and_metrics() -> None:
    assert pairs({"n": 10, "rmse": 12345.678, "rate": 0.1, "name": "a"}) == "n=10  rmse=12346  rate=0.1  name=a"
