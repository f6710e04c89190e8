"""Names in texts that libraries evaluate: formulas are told from numbers that are given to a function of the same name."""

from __future__ import annotations

import ast

import pytest

from jupyter_mlops.analysis.code.magics import EVERYTHING
from jupyter_mlops.analysis.code.texts import text_reads


@pytest.mark.parametrize(
    ("call", "names"),
    [
        ("smf.ols('y ~ x + C(g)', data=df)", {"y", "x", "C", "g"}),
        ("smf.poisson('n ~ x', df)", {"n", "x"}),
        ("smf.poisson(formula, df)", {EVERYTHING}),
        ("smf.poisson(formula, data=df)", {EVERYTHING}),
        ("smf.logit(**given)", set()),
        ("smf.ols(formula)", {EVERYTHING}),
        ("rng.poisson(np.exp(x))", set()),
        ("rng.poisson(rate, 10)", set()),
        ("rng.poisson(rate, size=(2, 3))", set()),
        ("special.logit(p)", set()),
    ],
)
def test_a_formula_names_what_it_reads_and_a_number_does_not(call: str, names: set[str]) -> None:
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    assert text_reads(node) == names
