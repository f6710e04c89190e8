"""Random notebooks, edited at random; `make oracle` plays many more."""

from __future__ import annotations

import pytest

from .conftest import Pair
from .edits import EDITS, play_many, shrink, told
from .generate import scenario

pytestmark = pytest.mark.kernel
SCENARIOS = 6
SEED = 20261121
"""The same each time, so that a failure is one of the change at hand; `make oracle` takes new ones."""


def test_after_each_of_150_random_edits_all_shows_as_in_a_plain_run(pair: Pair) -> None:
    seed = SEED
    edits = cells = reused = 0
    for played in play_many(seed, range(SCENARIOS), [pair]):
        if played.differences:
            smallest = shrink(played.scenario, pair)
            pytest.fail(told(smallest, pair))
        assert played.needless == []
        assert played.complaints == []
        edits, cells, reused = edits + played.edits, cells + played.cells, reused + played.reused
    assert edits == SCENARIOS * EDITS
    assert reused > cells / 3, f"{reused} of {cells} cells were reused with seed {seed}: what is compared is too little"


def test_a_scenario_is_the_same_for_the_same_seed() -> None:
    assert scenario(5, 3) == scenario(5, 3)
    assert scenario(5, 3) != scenario(6, 3)
    assert scenario(5, 3) != scenario(5, 4)
