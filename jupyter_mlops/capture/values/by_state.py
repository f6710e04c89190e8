"""Objects that are stored by what they hold, past a reduction of their own that would lose some of it, or refuse."""

from __future__ import annotations

import copyreg
import sys
from typing import Any

from jupyter_mlops.capture.values import rebuild

_BY_STATE = (
    ("plotly.basedatatypes", "BaseFigure"),  # its own reduction sorts the keys of what it shows
    ("statsmodels.base.data", "ModelData"),  # which would evaluate its formula again, in frames that are not the cell's
)
_NEW: Any = copyreg.__newobj__  # type: ignore[attr-defined]


def reduce(value: object) -> Any:
    """The reduce tuple of such an object; None for any other."""
    kind = type(value)
    if isinstance(value, dict):
        items = iter(value.items())
        if getattr(value, "__dict__", None) is value:
            return _NEW, (kind,), True, None, items, rebuild.set_own_attributes
        return None
    if _is_by_state(value):
        return _NEW, (kind,), vars(value), None, None, rebuild.set_attributes
    if kind.__module__.startswith("patsy.") and "__getstate__" in vars(kind):  # each of them refuses
        slots = {name: getattr(value, name) for name in getattr(kind, "__slots__", ()) if hasattr(value, name)}
        return _NEW, (kind,), (getattr(value, "__dict__", None), slots)
    return None


def _is_by_state(value: object) -> bool:
    for module, name in _BY_STATE:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(value, kind):
            return True
    return False
