"""State that packages without known options hold in their modules: what changed is told, what is filled lazily is not."""

from __future__ import annotations

import importlib
import sys
import threading
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.capture.libraries import package_changes, package_snapshot

SOURCE = {
    "__init__.py": """
from functools import cached_property, lru_cache
from . import core
SIZE = 1
TABLE = {"a": [1], "b": 2}
NAMES = ["x"]
KINDS = {"k"}
_cache = {}
class Registry:
    def __init__(self):
        self.active, self.plugins = "default", {}
    @cached_property
    def lazily(self):
        return object()
class Slotted:
    __slots__ = ("width",)
class Lazy:
    pass
registry = Registry()
slotted = Slotted()
TABLE["later"] = Lazy()
@lru_cache
def slow(x):
    return [x]
def __getattr__(name):
    if name == "Late":
        from .late import Late
        globals()["Late"] = Late
        return Late
    raise AttributeError(name)
""",
    "core.py": "from collections import OrderedDict\nDEFAULTS = OrderedDict(a=1)\nclass Model:\n    width = 1\n",
    "late.py": "class Late:\n    pass\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    folder = tmp_path / "mlopsnap"
    folder.mkdir()
    for name, text in SOURCE.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("mlopsnap")
    for name in [name for name in sys.modules if name.partition(".")[0] == "mlopsnap"]:
        del sys.modules[name]


def changes(work: Callable[[], object], *packages: str) -> list[str]:
    before = package_snapshot(packages)
    work()
    return package_changes(before, package_snapshot(packages))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("p.SIZE = 2", "mlopsnap.SIZE"),
        ("p.new = 2", "mlopsnap.new"),
        ("del p.SIZE", "mlopsnap.SIZE"),
        ("p.TABLE['c'] = 3", "mlopsnap.TABLE.c"),
        ("p.TABLE['b'] = 3", "mlopsnap.TABLE.b"),
        ("p.TABLE['c'] = p.TABLE.pop('b')", "mlopsnap.TABLE.b"),
        ("p.TABLE['a'].append(3)", "mlopsnap.TABLE.a"),
        ("p.NAMES[0] = 'y'", "mlopsnap.NAMES"),
        ("p.KINDS.add('l')", "mlopsnap.KINDS"),
        ("p.registry.active = 'dark'", "mlopsnap.registry.active"),
        ("p.registry.plugins['x'] = 1", "mlopsnap.registry.plugins.x"),
        ("p.slotted.width = 3", "mlopsnap.slotted.width"),
        ("p.Registry.lazily = 1", "mlopsnap.Registry.lazily"),
        ("p.core.Model.width = 2", "mlopsnap.core.Model.width"),
        ("p.core.Model.fit = lambda self: 1", "mlopsnap.core.Model.fit"),
        ("p.core.DEFAULTS['b'] = 1", "mlopsnap.core.DEFAULTS.b"),
        ("p.slow = len", "mlopsnap.slow"),
    ],
)
def test_what_a_step_sets_in_a_package_is_told(package: Any, change: str, told: str) -> None:
    assert changes(lambda: exec(change, {"p": package}), "mlopsnap")[:1] == [told]


@pytest.mark.parametrize(
    "work",
    [
        "p.slow(1)",
        "p._cache['x'] = 1",
        "p.registry.lazily",
        "p.Late",
        "import mlopsnap.late",
        "p.TABLE['later'] = 3",
        "p.__warningregistry__ = {}",
    ],
)
def test_what_is_filled_at_the_first_use_is_none(package: Any, work: str) -> None:
    assert changes(lambda: exec(work, {"p": package}), "mlopsnap") == []


def test_a_change_counts_once_and_later_steps_start_from_it(package: Any) -> None:
    assert changes(lambda: package.NAMES.append("z"), "mlopsnap") == ["mlopsnap.NAMES"]
    assert changes(lambda: None, "mlopsnap") == []
    assert changes(lambda: package.NAMES.append("z"), "mlopsnap") == ["mlopsnap.NAMES"]


def test_what_several_modules_name_is_told_once(package: Any) -> None:
    package.core.shared = package.registry
    told = changes(lambda: setattr(package.registry, "active", "x"), "mlopsnap")
    assert [text.rpartition(".")[2] for text in told] == ["active"]


def test_packages_with_options_of_their_own_and_those_not_loaded_give_nothing() -> None:
    assert package_snapshot({"pandas", "numpy", "os", "nosuchpackage"}) == {}


def test_work_with_scipy_changes_nothing_of_it_and_a_seed_kept_in_it_shows() -> None:
    import numpy as np
    import scipy.cluster.hierarchy
    import scipy.fft
    import scipy.integrate
    import scipy.interpolate
    import scipy.linalg
    import scipy.optimize
    import scipy.signal
    import scipy.stats as st

    x = np.linspace(0.1, 3, 30)
    uses: list[Callable[[], object]] = [
        lambda: st.ttest_ind(x, x**2),
        lambda: st.norm.fit(x),
        lambda: st.gamma(2).rvs(3),
        lambda: st.gaussian_kde(x)(x),
        lambda: st.mannwhitneyu(x, x**2),
        lambda: scipy.optimize.minimize(lambda z: float((z**2).sum()), [1.0, 2.0]),
        lambda: scipy.optimize.linprog([1, 2], [[1, 1]], [3]),
        lambda: scipy.integrate.solve_ivp(lambda t, y: -y, [0, 1], [1.0]),
        lambda: scipy.interpolate.CubicSpline(x, x),
        lambda: scipy.linalg.svd(np.eye(3)),
        lambda: scipy.fft.fft(x),
        lambda: scipy.signal.butter(3, 0.1),
        lambda: scipy.cluster.hierarchy.linkage(x.reshape(-1, 2)),
    ]
    for work in uses:
        assert changes(work, "scipy") == []
    before = st.norm.random_state
    assert changes(lambda: setattr(st.norm, "random_state", 3), "scipy") == [
        "scipy.stats._continuous_distns.norm._random_state"
    ]
    st.norm.random_state = before


def test_a_package_that_did_not_change_costs_little(package: Any) -> None:
    package_snapshot({"mlopsnap"})
    assert min(timeit.repeat(lambda: package_snapshot({"mlopsnap"}), number=100, repeat=5)) / 100 < 0.001


def test_a_lock_in_a_module_is_no_obstacle(package: Any) -> None:
    package.guard = threading.Lock()
    assert changes(lambda: package.guard.acquire(), "mlopsnap") == []
