"""The filters of warnings, but for those that libraries add while they are imported."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from functools import wraps
from typing import Any

from jupyter_mlops.capture.origin.imports import asked_by_library, by_library_import

Options = dict[str, Any]
Entry = tuple[Any, ...]

_KNOWN_PATTERNS = (
    "numpy.ndarray size changed",
    "numpy.ufunc size changed",
    "numpy.dtype size changed",
    "the matrix subclass is not",
    ".*Trio's signal handling",
)
_PYTHONS = {
    ("default", None, DeprecationWarning, "__main__", 0),
    ("ignore", None, DeprecationWarning, None, 0),
    ("ignore", None, PendingDeprecationWarning, None, 0),
    ("ignore", None, ImportWarning, None, 0),
    ("ignore", None, ResourceWarning, None, 0),
}
_SHELLS = ("IPython", "ipykernel", "traitlets", "jupyter_client")
_by_libraries: set[Entry] = set()
_first: list[Entry] = []


def begin() -> None:
    """Note what is there before any cell runs, and from now on which filters come from imports."""
    _seen[0] = None
    _first[:] = [item for item in _all() if item in _PYTHONS or _is_shells(item)]
    _by_libraries.update(_key(item) for item in _all() if _looks_like_a_librarys(item))
    add: Any = vars(warnings)["_add_filter"]

    @wraps(add)
    def noting(*item: object, append: bool) -> None:
        known = _key(item) in _keys_now()  # a filter of the notebook stays one when a library adds its like
        add(*item, append=append)
        if known:
            return
        if by_library_import():
            _by_libraries.add(_key(item))
        elif not asked_by_library():  # scikit-learn's threads add all filters anew, libraries' ones among them
            _by_libraries.discard(_key(item))

    warnings._add_filter = noting  # type: ignore[attr-defined]


def _plain(item: Any) -> Entry:
    action, message, category, module, line = item
    return (action, message, category, module, line)


def _all() -> list[Entry]:
    return [_plain(item) for item in warnings.filters]


_keyed: list[Any] = [None, []]
"""The filters as they were when their keys were last asked for, and the keys."""


def _keys_now() -> list[Entry]:
    if _keyed[0] != warnings.filters:
        _keyed[:] = [list(warnings.filters), _keys(_all())]
    found: list[Entry] = _keyed[1]
    return found


def _key(item: Entry) -> Entry:
    """What is equal for filters that mean the same: patterns by their text, which scikit-learn's threads compile anew."""
    return tuple(part.pattern if isinstance(part, re.Pattern) else part for part in item)


def _keys(items: list[Entry]) -> list[Entry]:
    return [_key(item) for item in items]


def _is_shells(item: Entry) -> bool:
    return str(getattr(item[2], "__module__", "")).partition(".")[0] in _SHELLS


def _looks_like_a_librarys(item: Entry) -> bool:
    """Of filters added before `begin`: libraries let their own categories always show."""
    action, message, category, _, _ = item
    if isinstance(message, re.Pattern) and message.pattern.startswith(_KNOWN_PATTERNS):
        return True
    root = str(getattr(category, "__module__", "")).partition(".")[0]
    return root not in ("builtins", "__main__") and action in ("always", "default", "once")


def came_with_libraries(filters: Iterable[Any]) -> None:
    """These filters were put there for libraries that had added them when they were imported, out of the notebook's sight."""
    _by_libraries.update(_key(_plain(item)) for item in filters)


def forget_past() -> None:
    """Forget filters that libraries had only while they were imported: the notebook may add the same for good."""
    _by_libraries.intersection_update(_keys_now())


_seen: list[Any] = [None, None, {}]
"""The filters and libraries' own as they were when they were last looked at, and what was told of them."""


def warning_options() -> Options:
    """All filters in order, where they are others than in the beginning."""
    if _seen[0] != warnings.filters or _seen[1] != _by_libraries:
        forget_past()
    if _seen[0] != warnings.filters or _seen[1] != _by_libraries:
        entries = [item for item in _all() if _key(item) not in _by_libraries]
        told = {} if _keys(entries) == _keys(_first) else {"filters": entries}
        _seen[:] = [list(warnings.filters), set(_by_libraries), told]
    return dict(_seen[2])


def set_warning_options(options: Options) -> None:
    """Libraries' own filters stay, behind those that cells put in front."""
    wanted = [_plain(item) for item in options.get("filters", _first)]
    behind = next((place for place, item in enumerate(wanted) if _key(item) in _keys(_first)), len(wanted))
    wanted[behind:behind] = [item for item in _all() if _key(item) in _by_libraries and item not in wanted]
    filters: Any = warnings.filters
    filters[:] = wanted
    vars(warnings)["_filters_mutated"]()
