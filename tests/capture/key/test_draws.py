"""What a step draws from the global generators, and whether that depends on the state before."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from kernels import LiveKernel

from jupyter_mlops.analysis.code.facts import cell_facts
from jupyter_mlops.capture.key.draws import seeded_first, seeds_spoken_of
from jupyter_mlops.capture.key.examination import Resolver
from jupyter_mlops.capture.key.world import LiveWorld


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
        ("def f(a=1):\n    random.seed(a)\nimport random\nnp.random.seed(0)", {"numpy"}),
        ("x = [1, y]\nnp.random.seed(0)", {"numpy"}),
    ],
)
def test_a_seed_counts_where_nothing_could_draw_before_it(code: str, found: set[str]) -> None:
    resolve = Resolver(cell_facts(code).doubts, LiveWorld({"np": np, "other": np.random.RandomState(0)}, {}))
    assert seeded_first(code, resolve) == found


@pytest.mark.parametrize(
    ("function", "code", "found"),
    [
        ("def f():\n    'sets it'\n    np.random.seed(0)\n    return np.random.rand()", "x = f()", {"numpy"}),
        ("def f(seed=3):\n    np.random.seed(seed)", "f()", {"numpy"}),
        ("def f(seed):\n    np.random.seed(seed)", "f(5)", {"numpy"}),
        ("def f(seed):\n    np.random.seed(seed)", "f(None)", set()),
        ("def f(seed):\n    np.random.seed(seed)", "f(n)", set()),
        ("def f(seed=None):\n    np.random.seed(seed)", "f()", set()),
        ("def f(x):\n    np.random.seed(0)", "f(np.random.rand())", set()),
        ("def f():\n    x = np.random.rand()\n    np.random.seed(0)", "f()", set()),
        ("def g():\n    np.random.seed(0)\ndef f():\n    return g()", "x = f()", {"numpy"}),
    ],
)
def test_a_function_of_the_notebook_may_seed_first(function: str, code: str, found: set[str]) -> None:
    resolve = Resolver(cell_facts(code).doubts, LiveWorld({"np": np}, {}))
    assert seeded_first(code, resolve, [function]) == found


@pytest.mark.parametrize(
    ("function", "found"),
    [
        ("def f():\n    np.random.seed(0)\n    return np.random.rand()", {"numpy"}),
        ("def f():\n    return np.random.rand()", set()),
        ("def f(np):\n    np.random.seed(0)", {"numpy", "random", "torch"}),
        ("def f(seed):\n    np.random.seed(seed)", {"numpy", "random", "torch"}),
        ("def f():\n    other.seed(0)", {"numpy", "random", "torch"}),
        ("def f():\n    np.random.seed(0)\n    other.seed(0)", {"numpy", "random", "torch"}),
        ("def f():\n    getattr(np.random, 'seed')(0)", {"numpy", "random", "torch"}),
    ],
)
def test_a_function_that_names_a_seed_may_set_that_generator_and_no_other(function: str, found: set[str]) -> None:
    world = LiveWorld({"np": np, "other": np.random.RandomState(0)}, {})
    assert seeds_spoken_of(function, Resolver(cell_facts("f()").doubts, world)) == found


@pytest.mark.kernel
def test_a_cell_that_draws_and_then_seeds_depends_on_the_state_it_found(
    start_kernel: Callable[..., LiveKernel],
) -> None:
    kernel, shown = start_kernel(MLOPS_CAPTURE="all"), []
    for seed in (7, 8, 9, 7):
        kernel.run(f"import random\nrandom.seed({seed})", cell_id="seed0000")
        shown.append(kernel.run("print(random.random())\nrandom.seed(6)", cell_id="draw0000"))
    assert [cell.text.strip() for cell in shown] == [str(random.Random(seed).random()) for seed in (7, 8, 9, 7)]
    assert [cell.reused for cell in shown] == [False, False, False, True]
