"""Each trap is a way to get a stale result, or to run more than needed."""

from __future__ import annotations

import os

import pytest

from .conftest import Pair
from .running import try_trap
from .trap import Trap
from .traps import TRAPS

pytestmark = pytest.mark.kernel
PLAYED = TRAPS if os.environ.get("ORACLE_TRAPS") == "all" else TRAPS[::3]
"""Every third, to keep the tests short; `make oracle` plays all."""


@pytest.mark.parametrize("trap", PLAYED, ids=lambda trap: trap.name)
def test_after_an_edit_all_shows_as_in_a_plain_run_and_only_what_must_runs(trap: Trap, pair: Pair) -> None:
    found = try_trap(trap, pair)
    assert not found.text, found.text


def test_traps_have_names_of_their_own() -> None:
    assert len({trap.name for trap in TRAPS}) == len(TRAPS) >= 90
