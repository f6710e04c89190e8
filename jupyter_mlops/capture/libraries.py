"""State that lives in libraries: the options of those we know, and the global random generators.

A library that is not loaded, or stands at its defaults, gives nothing, so that loading it changes no key.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import xxhash


def _digest(value: object) -> str:
    return xxhash.xxh3_128_hexdigest(repr(value).encode("utf-8", "surrogatepass"))


def _pandas(pandas: Any) -> object:
    from pandas._config import config

    # Not by `get_option`: in pandas 2 that warns of options no one has set.
    registered: Any = vars(config)["_registered_options"]
    current = {}
    for key, option in registered.items():
        value: Any = vars(config)["_global_config"]
        for part in key.split("."):
            value = value[part]
        if value != option.defval:
            current[key] = repr(value)
    return sorted(current.items())


def _numpy(numpy: Any) -> object:
    options = numpy.get_printoptions()
    defaults = {
        "edgeitems": 3, "threshold": 1000, "floatmode": "maxprec", "precision": 8, "suppress": False,
        "linewidth": 75, "nanstr": "nan", "infstr": "inf", "sign": "-", "formatter": None, "legacy": False,
    }  # fmt: skip
    changed = {name: repr(value) for name, value in options.items() if name in defaults and value != defaults[name]}
    errors = numpy.geterr()
    usual = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
    return [*sorted(changed.items()), *(sorted(errors.items()) if errors != usual else [])]


def _sklearn(sklearn: Any) -> object:
    from sklearn._config import _global_config

    current = sklearn.get_config()
    initial = {"assume_finite": False, "working_memory": 1024, "print_changed_only": True, "display": "diagram"}
    initial |= {"enable_metadata_routing": False, "transform_output": "default", "skip_parameter_validation": False}
    assert set(_global_config) == set(current)
    return sorted((name, repr(value)) for name, value in current.items() if name in initial and value != initial[name])


def _matplotlib(matplotlib: Any) -> object:
    current, default = matplotlib.rcParams, matplotlib.rcParamsDefault
    return sorted(
        (name, repr(current[name]))
        for name in current
        if not name.startswith("backend") and name != "interactive" and current[name] != default.get(name)
    )


_KNOWN: dict[str, Callable[[Any], object]] = {
    "pandas": _pandas,
    "numpy": _numpy,
    "sklearn": _sklearn,
    "matplotlib": _matplotlib,
}


def library_state() -> dict[str, str]:
    """Library → digest of its options where they differ from the defaults; "unknown" where they cannot be read."""
    state = {}
    for name, options in _KNOWN.items():
        module = sys.modules.get(name)
        if module is None or getattr(getattr(module, "__spec__", None), "_initializing", False):
            continue
        try:
            found = options(module)
        except (AttributeError, ImportError, AssertionError, KeyError, TypeError, ValueError) as error:
            state[name] = f"unknown: {type(error).__name__}"
            continue
        if found:
            state[name] = _digest(found)
    return state


def open_figures() -> list[int]:
    """Numbers of matplotlib figures that are open: state that the next plot call would draw into."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return [] if pyplot is None else list(pyplot.get_fignums())


def _numpy_generator() -> Any:
    random_module = sys.modules.get("numpy.random")
    return None if random_module is None else getattr(random_module, "mtrand", None)


def random_digests() -> dict[str, str]:
    """Global generator → digest of its state; numpy's only when it is loaded."""
    digests = {"random": _digest(random.getstate())}
    mtrand = _numpy_generator()
    if mtrand is not None:
        _, keys, position, has_gauss, cached = mtrand.get_state()
        digests["numpy"] = _digest((keys.tobytes(), position, has_gauss, cached))
    return digests


def numpy_drawn_since_import() -> bool:
    """Whether numpy's global generator, just imported, was drawn from or seeded: a fresh one stands at its end."""
    mtrand = _numpy_generator()
    return mtrand is not None and (mtrand.get_state()[2] != 623 or mtrand.get_state()[3] != 0)


def random_states(names: list[str]) -> dict[str, Any]:
    """The states themselves, to be restored with a result."""
    states: dict[str, Any] = {}
    if "random" in names:
        states["random"] = random.getstate()
    if "numpy" in names:
        states["numpy"] = _numpy_generator().get_state()
    return states


def restore_random(states: dict[str, Any]) -> None:
    """Set the global generators as they stood after the step."""
    if "random" in states:
        random.setstate(states["random"])
    if "numpy" in states:
        import numpy

        numpy.random.set_state(states["numpy"])
