"""State that lives in libraries and in the process: told as digests, given as values, and set again.

A library that is not loaded, or stands at its defaults, gives nothing, so that loading it changes no key.
"""

from __future__ import annotations

import decimal
import importlib
import locale
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.capture.libraries import options, surroundings, warned
from jupyter_mlops.capture.libraries.content import UnreadableOption, digest
from jupyter_mlops.capture.libraries.figures import open_figures
from jupyter_mlops.capture.libraries.generators import (
    numpy_drawn_since_import,
    numpy_stood_fresh,
    random_digests,
    random_states,
    restore_random,
)
from jupyter_mlops.capture.libraries.snapshots import package_changes, package_snapshot
from jupyter_mlops.capture.libraries.surroundings import begin, cell_ended

__all__ = [
    "KNOWN_STATES",
    "begin",
    "cell_ended",
    "library_state",
    "library_values",
    "numpy_drawn_since_import",
    "numpy_stood_fresh",
    "open_figures",
    "package_changes",
    "package_snapshot",
    "random_digests",
    "random_states",
    "restore_libraries",
    "restore_random",
]


@dataclass(frozen=True)
class _KnownState:
    """One state: which module it needs ("" for none), what differs from the defaults, and setting exactly that."""

    module: str
    changed: Callable[[], dict[str, Any]]
    restore: Callable[[dict[str, Any]], None]

    @property
    def loaded(self) -> bool:
        """Whether the library is there; one that is still being imported is not."""
        if not self.module:
            return True
        module = sys.modules.get(self.module)
        return module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False)


_KNOWN: dict[str, _KnownState] = {
    "environ": _KnownState("", surroundings.environ_options, surroundings.set_environ_options),
    "timezone": _KnownState("", surroundings.zone_options, surroundings.set_zone_options),
    "cwd": _KnownState("", surroundings.folder_options, surroundings.set_folder_options),
    "sys.path": _KnownState("", surroundings.path_options, surroundings.set_path_options),
    "locale": _KnownState("", surroundings.locale_options, surroundings.set_locale_options),
    "decimal": _KnownState("", surroundings.decimal_options, surroundings.set_decimal_options),
    "logging": _KnownState("", surroundings.logging_options, surroundings.set_logging_options),
    "warnings": _KnownState("", warned.warning_options, warned.set_warning_options),
    "pandas": _KnownState("pandas", options.pandas_options, options.set_pandas_options),
    "numpy": _KnownState("numpy", options.numpy_options, options.set_numpy_options),
    "sklearn": _KnownState("sklearn", options.sklearn_options, options.set_sklearn_options),
    "matplotlib": _KnownState("matplotlib", options.matplotlib_options, options.set_matplotlib_options),
    "matplotlib_inline": _KnownState("matplotlib_inline.config", options.inline_options, options.set_inline_options),
    "torch": _KnownState("torch", options.torch_options, options.set_torch_options),
}
KNOWN_STATES = frozenset(_KNOWN)
_CANNOT = (AttributeError, ImportError, KeyError, TypeError, ValueError, RuntimeError, OSError)


def library_state(among: Collection[str] | None = None) -> dict[str, str]:
    """Library → digest of what differs from the defaults; where that cannot be told, what `is_untold` knows."""
    state = {}
    for name, known in _KNOWN.items():
        if (among is not None and name not in among) or (known.module and not known.loaded):
            continue
        try:
            changed = known.changed()
            if changed:
                state[name] = digest(sorted(changed.items()))
        except UnreadableOption as error:
            state[name] = f"{_UNTOLD}{error}"
        except _CANNOT as error:
            state[name] = f"{_UNTOLD}{type(error).__name__}: {error}"
    return state


_UNTOLD = "unknown: "


def is_untold(state: str) -> bool:
    """Whether this, in place of a digest, stands for options that cannot be told."""
    return state.startswith(_UNTOLD)


def library_values(names: Iterable[str]) -> dict[str, Any]:
    """What `restore_libraries` needs to give these libraries the state they have now: picklable if the options are."""
    found = {name: _KNOWN[name].changed() if _KNOWN[name].loaded else {} for name in names if name in _KNOWN}
    return {
        name: {key: value.copy() if isinstance(value, (list, dict, set)) else value for key, value in changed.items()}
        for name, changed in found.items()
    }


def restore_libraries(values: Mapping[str, Any]) -> None:
    """Give libraries the state that `library_values` told; what it does not name goes back to the default.

    Raises `ValueError` where a library, the machine or a missing folder does not allow it.
    """
    for name, known in _KNOWN.items():
        if name not in values:
            continue
        try:
            if known.module and values[name]:
                importlib.import_module(known.module)
            if known.loaded:
                known.restore(dict(values[name]))
        except (*_CANNOT, locale.Error, decimal.DecimalException) as error:
            raise ValueError(f"the state of {name} cannot be restored: {error}") from error
