"""The options of pandas, numpy, scikit-learn, matplotlib, its inline backend and torch: what differs from the defaults.

Each has a pair of functions: one tells the options that differ from the defaults, the other sets exactly those.
"""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jupyter_mlops.analysis.code.unwarned import unwarned

Options = dict[str, Any]


def pandas_options() -> Options:
    """Options by their dotted keys."""
    from pandas._config import config

    # Not by `get_option`: in pandas 2 that warns of options no one has set.
    registered: Any = vars(config)["_registered_options"]
    root: Any = vars(config)["_global_config"]
    known = [root, *registered.values()]
    if len(known) != len(_pandas_known) or not all(map(operator.is_, known, _pandas_known)):
        _pandas_known[:] = known
        _pandas_places[:] = _pandas_options_in(root, registered)
    changed = {}
    for key, holder, name, default in _pandas_places:
        value = holder[name]
        if value is not default and value != default:
            changed[key] = value
    return changed


_pandas_known: list[Any] = []
_pandas_places: list[tuple[str, Any, str, Any]] = []
"""Where pandas holds its options: key, the mapping, the name in it, and the default."""


def _pandas_options_in(root: Any, registered: Any) -> Iterator[tuple[str, Any, str, Any]]:
    for key, option in registered.items():
        *path, name = key.split(".")
        holder = root
        for part in path:
            holder = holder[part]
        yield key, holder, name, option.defval


def set_pandas_options(options: Options) -> None:
    """Through `set_option`, for some of them act at once."""
    import pandas

    now = pandas_options()
    with unwarned():
        for key in now.keys() - options.keys():
            pandas.reset_option(key)
        for key, value in options.items():
            if key not in now or now[key] is not value:
                pandas.set_option(key, value)


_NUMPY_PRINTS: Options = {
    "edgeitems": 3, "threshold": 1000, "floatmode": "maxprec", "precision": 8, "suppress": False, "linewidth": 75,
    "nanstr": "nan", "infstr": "inf", "sign": "-", "formatter": None, "legacy": False, "override_repr": None,
}  # fmt: skip
_NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


def numpy_options() -> Options:
    """Print options, what happens on floating point errors, and the function called then."""
    numpy = sys.modules["numpy"]
    prints = numpy.get_printoptions()
    changed = {key: value for key, value in prints.items() if value != _NUMPY_PRINTS.get(key, value)}
    changed |= {f"err:{key}": value for key, value in numpy.geterr().items() if value != _NUMPY_ERRORS[key]}
    call = numpy.geterrcall()
    return changed if call is None else {**changed, "errcall": call}


def set_numpy_options(options: Options) -> None:
    """Exactly these; all others as numpy has them when it is imported."""
    import numpy

    known = numpy.get_printoptions()
    numpy.set_printoptions(**{key: options.get(key, default) for key, default in _NUMPY_PRINTS.items() if key in known})
    errors: dict[str, Any] = {key: options.get(f"err:{key}", default) for key, default in _NUMPY_ERRORS.items()}
    numpy.seterr(**errors)
    numpy.seterrcall(options.get("errcall"))


_SKLEARN_FIXED = {"assume_finite": False, "working_memory": 1024, "pairwise_dist_chunk_size": 256}
"""Those that scikit-learn takes from environment variables."""


def sklearn_options() -> Options:
    """What `sklearn.get_config` gives."""
    from sklearn._config import _global_config

    defaults = {**_global_config, **_SKLEARN_FIXED}
    current = sys.modules["sklearn"].get_config()
    return {key: value for key, value in current.items() if key not in defaults or value != defaults[key]}


def set_sklearn_options(options: Options) -> None:
    """Exactly these, for the thread that calls."""
    import sklearn
    from sklearn._config import _global_config

    wanted = {**_global_config, **_SKLEARN_FIXED, **options}
    sklearn.set_config(**{key: wanted[key] for key, value in sklearn.get_config().items() if value != wanted[key]})


_MACHINE = ("backend", "backend_fallback", "interactive")
_CODES = "bgrcmykw"
_BASE_COLOURS = {
    "b": (0, 0, 1), "g": (0, 0.5, 0), "r": (1, 0, 0), "c": (0, 0.75, 0.75), "m": (0.75, 0, 0.75), "y": (0.75, 0.75, 0),
    "k": (0, 0, 0), "w": (1, 1, 1),
}  # fmt: skip


@lru_cache(maxsize=1)
def _matplotlib_defaults() -> Options:
    """`rcParamsDefault` with lists as the library's own file has them: it shares its lists with `rcParams`."""
    import matplotlib

    known = dict(dict.items(matplotlib.rcParamsDefault))
    try:
        parse: Any = vars(matplotlib)["_rc_params_in_file"]
        path = os.path.join(matplotlib.get_data_path(), "matplotlibrc")
        pristine = parse(path, transform=lambda line: line[1:] if line.startswith("#") else line)
    except (AttributeError, KeyError, OSError, TypeError):
        pristine = {}
    lists = {key: dict.get(pristine, key, value) for key, value in known.items() if isinstance(value, list)}
    return known | {key: list(value) for key, value in lists.items()}


def matplotlib_options() -> Options:
    """rcParams but for the backend, and the one-letter colours, which seaborn's themes set."""
    matplotlib: Any = sys.modules["matplotlib"]
    current, default = matplotlib.rcParams, _matplotlib_defaults()
    changed: Options = {}
    if not dict.__eq__(current, default):
        for key, value in dict.items(current):
            if key not in _MACHINE and value != dict.get(default, key):
                changed[key] = value
    colors = sys.modules.get("matplotlib.colors")
    if colors is not None:
        colours = {f"colour:{code}": colors._colors_full_map[code] for code in _CODES}
        changed |= {key: value for key, value in colours.items() if tuple(value) != _BASE_COLOURS[key[-1]]}
    return changed


def set_matplotlib_options(options: Options) -> None:
    """Exactly these, without the warnings and the checks of setting them one by one."""
    import matplotlib.colors

    current, default = matplotlib.rcParams, _matplotlib_defaults()
    for key in list(dict.keys(current)):
        if key not in _MACHINE:
            value = options[key] if key in options else dict.get(default, key)
            dict.__setitem__(current, key, value[:] if isinstance(value, list) else value)
    mapping: Any = vars(matplotlib.colors)["_colors_full_map"]
    for code in _CODES:
        mapping[code] = options.get(f"colour:{code}", _BASE_COLOURS[code])
    mapping.cache.clear()


_INLINE = {"figure_formats": {"png"}, "print_figure_kwargs": {"bbox_inches": "tight"}, "rc": {}, "close_figures": True}


def inline_options() -> Options:
    """Settings of the inline backend, as `%config InlineBackend.figure_format = "retina"` makes them."""
    backend = sys.modules["matplotlib_inline.config"].InlineBackend
    if not backend.initialized():
        return {}
    instance = backend.instance()
    current = {key: getattr(instance, key) for key in _INLINE}
    return {key: value for key, value in current.items() if value != _INLINE[key]}


def set_inline_options(options: Options) -> None:
    """By its traits, whose observers tell the shell."""
    from matplotlib_inline.config import InlineBackend

    if options or InlineBackend.initialized():
        instance = InlineBackend.instance()
        for key, value in {**_INLINE, **options}.items():
            if getattr(instance, key) != value:
                setattr(instance, key, value)


def torch_options() -> Options:
    """Default type, gradients, determinism and print options."""
    torch: Any = sys.modules["torch"]
    prints = vars(torch._tensor_str.PRINT_OPTS)
    defaults = vars(type(torch._tensor_str.PRINT_OPTS)())
    changed = {f"print:{key}": value for key, value in prints.items() if value != defaults.get(key)}
    current = {
        "dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "grad": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }
    usual = {"dtype": "float32", "grad": True, "deterministic": False}
    return changed | {key: value for key, value in current.items() if value != usual[key]}


def set_torch_options(options: Options) -> None:
    """Exactly these."""
    torch: Any = __import__("torch")
    target = torch._tensor_str.PRINT_OPTS
    for key, value in vars(type(target)()).items():
        setattr(target, key, options.get(f"print:{key}", value))
    torch.set_default_dtype(getattr(torch, options.get("dtype", "float32")))
    torch.set_grad_enabled(options.get("grad", True))
    torch.use_deterministic_algorithms(options.get("deterministic", False))
