"""State that lives in libraries: what differs from the defaults, and the global random generators."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import sklearn

from jupyter_mlops.capture import libraries


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    states = random.getstate(), np.random.get_state()
    with mpl.rc_context(), np.printoptions(), np.errstate(), sklearn.config_context():
        yield
    pd.reset_option("display.precision")
    random.setstate(states[0])
    np.random.set_state(states[1])


def test_loading_the_libraries_changes_nothing() -> None:
    code = """
from jupyter_mlops.capture.libraries import library_state
before = library_state()
import matplotlib, numpy, pandas, sklearn
assert before == library_state() == {}, library_state()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pandas", lambda: pd.set_option("display.precision", 2)),
        ("numpy", lambda: np.set_printoptions(precision=2)),
        ("numpy", lambda: np.seterr(divide="raise")),
        ("sklearn", lambda: sklearn.set_config(transform_output="pandas")),
        ("matplotlib", lambda: mpl.rcParams.update({"lines.linewidth": 7})),
    ],
)
def test_an_option_that_is_changed_shows(name: str, change: Callable[[], object]) -> None:
    before = libraries.library_state()
    change()
    after = libraries.library_state()
    assert before.get(name) != after[name]
    assert not after[name].startswith("unknown")
    assert {key for key in {*before, *after} if before.get(key) != after.get(key)} == {name}


def test_the_global_generators_are_seen_drawn_from_and_restored() -> None:
    before = libraries.random_digests()
    states = libraries.random_states(["random", "numpy"])
    drawn = random.random(), np.random.rand()
    after = libraries.random_digests()
    assert set(before) == {"random", "numpy"}
    assert all(before[name] != after[name] for name in before)
    libraries.restore_random(states)
    assert libraries.random_digests() == before
    assert (random.random(), np.random.rand()) == drawn


def test_restoring_nothing_changes_nothing() -> None:
    before = libraries.random_digests()
    libraries.restore_random({})
    assert libraries.random_digests() == before


def test_a_freshly_imported_numpy_is_known_not_to_have_been_drawn_from() -> None:
    code = """
import sys
from jupyter_mlops.capture import libraries
assert "numpy" not in sys.modules
assert not libraries.numpy_drawn_since_import()
import numpy
assert not libraries.numpy_drawn_since_import()
numpy.random.{}
assert libraries.numpy_drawn_since_import()
"""
    for draw in ("rand()", "seed(1); numpy.random.rand()", "standard_normal()"):
        subprocess.run([sys.executable, "-c", code.format(draw)], check=True)


def test_a_seed_alone_right_after_the_import_is_seen() -> None:
    code = """
from jupyter_mlops.capture import libraries
import numpy.random
before = libraries.random_digests()["numpy"]
numpy.random.seed(1)
assert libraries.random_digests()["numpy"] != before
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_open_figures_are_told() -> None:
    import matplotlib.pyplot as plt

    mpl.use("agg")
    assert libraries.open_figures() == []
    figure = plt.figure()
    assert libraries.open_figures() == [figure.number]
    plt.close(figure)
    assert libraries.open_figures() == []
