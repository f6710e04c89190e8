"""What names hold after a cell, where its text says so: nothing that could be otherwise counts."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.analysis.parameters.plain_values import bind_all, plain_values, reach_of
from jupyter_mlops.analysis.parameters.scope import Scope


def told(*cells: str) -> dict[str, Any]:
    """What is told of the last of these cells."""
    *above, code = cells
    scope = Scope()
    bind_all(above, scope)
    return plain_values(code, scope.copy, lambda: reach_of(cell_facts(each).names.functions for each in cells))


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["a = 1\nb: float = 1"], {"a": 1, "b": 1}),
        (["a, b = 1, 'x'\nc = d = None"], {"a": 1, "b": "x", "c": None, "d": None}),
        (["a = [1, {'b': (2, -3.5)}]"], {"a": [1, {"b": (2, -3.5)}]}),
        (["from datetime import date as d", "a = d(2026, 1, 2)"], {"a": date(2026, 1, 2)}),
        (["import pathlib", "a = pathlib.Path('x')"], {"a": Path("x")}),
        (["'''Parameters.'''\nimport os\na = 1"], {"a": 1}),
        (["a = 1\nb = a + 1\nc = 2"], {"a": 1, "c": 2}),
        (["a = 1\na = a + 1"], {}),
        (["a = 1\na += 1"], {}),
        (["a = 1\ndel a"], {}),
        (["a = 1\nfor a in range(3): pass"], {}),
        (["a = 1\nif a:\n    a = 2"], {}),
        (["a = [1]\na.append(2)"], {}),
        (["a = [1]\nb = a"], {}),
        (["a = b = [1]"], {}),
        (["a = [1]\nprint(len(a))"], {}),
        (["a = (1, 2)\nb = a"], {"a": (1, 2)}),
        (["a = 1\nexec('a = 2')\nb = 3"], {"b": 3}),
        (["a = 1\nfrom os import *"], {}),
        (["def f():\n    global a\n    a = 2", "a = 1\nf()\nb = 2"], {"b": 2}),
        (["def f():\n    global a\n    a = 2", "a = 1\nb = a * 2"], {"a": 1}),
        (["def f():\n    global a\n    a = 2\n    return int", "a = 1\nb: f() = 3"], {"b": 3}),
        (["def g(x):\n    return x\ndef f():\n    cols.append(1)", "cols = []\ng(1)"], {}),
        (["date = print", "a = date(2026, 1, 2)"], {}),
        (["from x import *", "a = date(2026, 1, 2)\nb = 1"], {"b": 1}),
        (["import enum\nclass Mode(enum.Enum):\n    FAST = 1", "a = Mode.FAST\nb = [Mode.FAST]"], {}),
        (["from jupyter_mlops.secrets import secret", "a = secret('x')"], {}),
        (["%time a = 1\nb = 2"], {}),
        (["a = = 1"], {}),
    ],
)
def test_a_value_is_told_where_nothing_else_can_come_of_the_cell(cells: list[str], values: dict[str, Any]) -> None:
    found = told(*cells)
    assert found == values
    assert [type(value) for value in found.values()] == [type(values[name]) for name in found]
