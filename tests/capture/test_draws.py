"""What a step draws from the global generators, and whether that depends on the state before."""

from __future__ import annotations

import numpy as np
import pytest

from jupyter_mlops.analysis.code import cell_facts
from jupyter_mlops.capture.draws import seeded_first
from jupyter_mlops.capture.key import Resolver
from jupyter_mlops.capture.world import LiveWorld


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("np.random.seed(0)\nx = np.random.rand()", {"numpy"}),
        ("import numpy as np\nimport random\nn = 3\nrandom.seed(n)\nnp.random.seed(1)", {"numpy", "random"}),
        ("from random import seed\nseed(5)", {"random"}),
        ("x = np.random.rand()\nnp.random.seed(0)", set()),
        ("np.random.seed()", set()),
        ("np.random.seed(None)", set()),
        ("if x:\n    np.random.seed(0)", set()),
        ("other.seed(0)", set()),
        ("def f(a=np.random.rand()): pass\nnp.random.seed(0)", set()),
        ("np.random.seed(int(np.random.rand()))", set()),
    ],
)
def test_a_seed_counts_where_nothing_could_draw_before_it(code: str, found: set[str]) -> None:
    resolve = Resolver(cell_facts(code).doubts, LiveWorld({"np": np, "other": np.random.RandomState(0)}, {}))
    assert seeded_first(code, resolve) == found
