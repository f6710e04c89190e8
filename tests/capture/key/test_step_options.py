"""What a step claims of its inputs and outputs, held against what it reads and makes."""

from __future__ import annotations

import pytest

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.capture.key.examination import Examination
from jupyter_mlops.capture.key.step_options import contradicted_inputs, contradicted_outputs
from jupyter_mlops.capture.key.value_facts import ValueFacts
from jupyter_mlops.domain.step_spec import StepSpec

KNOWN = {"x": ValueFacts("1"), "y": ValueFacts("2"), "_private": ValueFacts("3"), "f": ValueFacts("4", kind="function")}


@pytest.mark.parametrize(
    ("claimed", "told"), [(None, ""), (("x", "y", "_private", "z"), ""), (("x",), "reads '_private', 'y'")]
)
def test_values_that_a_step_reads_must_be_claimed_and_functions_need_not(
    claimed: tuple[str, ...] | None, told: str
) -> None:
    found = Examination(cell_facts("f(x, y, _private)"), inputs=KNOWN)
    refused = contradicted_inputs(StepSpec("s", inputs=claimed), found)
    assert (refused is None, told in getattr(refused, "message", "")) == (not told, True)


@pytest.mark.parametrize(
    ("claimed", "made", "told"),
    [
        (None, {"x", "y"}, ""),
        (("x",), {"x", "f", "_private", "gone"}, ""),
        (("x",), {"x", "y"}, "makes or changes 'y'"),
        (("x", "y"), {"x"}, "lists 'y' in --outputs"),
        ((), {"x"}, "makes or changes 'x'"),
    ],
)
def test_values_that_a_step_makes_are_those_it_claims(
    claimed: tuple[str, ...] | None, made: set[str], told: str
) -> None:
    refused = contradicted_outputs(StepSpec("s", outputs=claimed), made, KNOWN)
    assert (refused is None, told in getattr(refused, "message", "")) == (not told, True)
