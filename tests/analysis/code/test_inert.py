"""Which cells only compute, where all they read is plain."""

from __future__ import annotations

import ast

import pytest

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.analysis.code.inert import is_inert


@pytest.mark.parametrize(
    "code",
    [
        "x = 1",
        "rate, name = 0.5, 'run ' + base",
        "y = n + 1\ny += 2",
        "if a > 2 and not b:\n    text = f'{a:>5} of {b!r}'\nelse:\n    rows = [1, (2, {'k': {3}})]",
        "z = -a if a in (1, 2) else a ** 2 % 7\npass",
        "",
    ],
)
def test_operators_on_names_and_displays_of_containers_are_inert(code: str) -> None:
    assert cell_facts(code).inert


@pytest.mark.parametrize(
    "code",
    [
        "x = f()",
        "x",
        "a + 1",
        "x = a.b",
        "x = a[0]",
        "a[0] = 1",
        "a.b = 1",
        "del x",
        "import os",
        "x = [i for i in y]",
        "x = lambda: 1",
        "x: int = 1",
        "def f(): pass",
        "for i in x: pass",
        "while x: pass",
        "with x: pass",
        "x = await y",
        "x = [*y]",
        "(x := 1)",
        "assert x",
        "raise x",
        "%time x = 1",
        "!ls",
        "x = !ls",
    ],
)
def test_whatever_calls_looks_up_iterates_shows_or_imports_is_not(code: str) -> None:
    assert not cell_facts(code).inert


def test_only_kinds_of_nodes_that_are_known_count() -> None:
    """A kind of syntax that a later Python adds is not inert."""

    class Later(ast.stmt):
        _fields = ()

    assert not is_inert(ast.Module([Later()], []))
