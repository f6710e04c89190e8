"""Which cells change library state that no one can hash, so that later steps depend on their having run."""

from __future__ import annotations

import pytest

from jupyter_mlops.analysis.code.facts import CodeFacts, source_facts
from jupyter_mlops.capture.key.effects import ANY_LIBRARY, effects_of
from jupyter_mlops.capture.key.world import LiveWorld
from jupyter_mlops.domain.reason import Reason, ReasonCode


@pytest.mark.parametrize(
    "line",
    [
        "mlops status",
        "mlops drain",
        "load_ext jupyter_mlops",
        "matplotlib inline",
        "who",
        "cd ..",
        "config InlineBackend.figure_format = 'svg'",
    ],
)
def test_a_magic_that_only_shows_or_sets_what_is_known_is_no_effect(line: str) -> None:
    assert effects_of(magic(line).doubts, LiveWorld({}, {})) == {}


@pytest.mark.parametrize("line", ["precision 3", "config Application.verbose = 1", "nosuch 1"])
def test_any_other_magic_is_one(line: str) -> None:
    assert effects_of(magic(line).doubts, LiveWorld({}, {})) == {
        ANY_LIBRARY: [Reason(ReasonCode.MAGIC, f"%{line.split()[0]}")]
    }


def magic(line: str) -> CodeFacts:
    name, _, rest = line.partition(" ")
    return source_facts(f"get_ipython().run_line_magic({name!r}, {rest!r})")
