"""How frames, their parts and a few types that lose something when pickled are taken apart.

Under copy-on-write two frames that share memory look like copies; pickled together they would share it without knowing,
so each block gets memory of its own.
"""

from __future__ import annotations

import copyreg
import sys
from typing import Any

from jupyter_mlops.capture.digest import layout
from jupyter_mlops.capture.values import rebuild
from jupyter_mlops.capture.values.memory import INDEX, SHARED, Memory


def reduce(value: object, memory: Memory) -> Any:
    """The reduce tuple of `value`, or None where it needs none of its own."""
    module = str(type(value).__module__).partition(".")[0]
    if "pandas" in sys.modules and (module == "pandas" or _is_pandas(value)):
        return _reduce_pandas(value, memory)
    bunch = getattr(sys.modules.get("sklearn.utils"), "Bunch", None)
    if bunch is not None and type(value) is bunch:  # its own __setstate__ drops the state
        return copyreg.__newobj__, (bunch,), vars(value), None, iter(value.items()), rebuild.set_attributes  # type: ignore[attr-defined]
    return None


def _is_pandas(value: object) -> bool:
    pandas = sys.modules["pandas"]
    return isinstance(value, (getattr(pandas, "DataFrame", ()), getattr(pandas, "Series", ())))


def _reduce_pandas(value: object, memory: Memory) -> Any:
    from pandas.core.generic import NDFrame
    from pandas.core.indexes.base import Index
    from pandas.core.internals.blocks import Block
    from pandas.core.internals.managers import SingleBlockManager

    if isinstance(value, NDFrame):
        return _frame(value)
    if isinstance(value, Index) and layout.frames_are_copies():
        reduced: Any = value.__reduce__()
        made, (kind, content), *rest = reduced
        return made, (kind, {name: _owned(item, INDEX, memory) for name, item in content.items()}), *rest
    if isinstance(value, SingleBlockManager) and layout.frames_are_copies():
        return type(value), (value.blocks[0], value.axes[0])
    if isinstance(value, Block) and layout.frames_are_copies():
        made, (values, *rest) = value.__reduce__()
        owner = SHARED if value.refs.has_reference() else id(value)
        return made, (_owned(values, owner, memory), *rest)
    if hasattr(value, "_pa_array"):
        return _arrow(value)
    return None


def _frame(value: Any) -> Any:
    """A frame with what one sets on it, such as `df.name = "train"`, which pandas does not pickle."""
    reduced: tuple[Any, ...] = value.__reduce_ex__(5)
    state = reduced[2]
    own = {name: item for name, item in vars(value).items() if name[:1] != "_" and name not in state}
    if not own:
        return reduced
    return reduced[0], reduced[1], (state, own), None, None, rebuild.set_frame


def _owned(value: Any, owner: int, memory: Memory) -> Any:
    """`value`, or a shallow copy of a pandas array, with its memory marked as the owner's."""
    if layout.is_array(value):
        return memory.owned(value, owner)
    if not _is_extension_array(value):
        return value
    if hasattr(value, "_ndarray"):
        clone = value._from_backing_data(memory.owned(value._ndarray, owner))
        if hasattr(value, "_freq"):
            clone._freq = value._freq
        return clone
    clone = object.__new__(type(value))
    for name, item in vars(value).items():
        object.__setattr__(clone, name, _owned(item, owner, memory))
    return clone


def _is_extension_array(value: object) -> bool:
    from pandas.api.extensions import ExtensionArray

    return isinstance(value, ExtensionArray)


def _arrow(value: Any) -> Any:
    """An arrow column as its one chunk where that is all of its memory; pandas itself would copy it."""
    chunks: Any = getattr(value._pa_array, "chunks", ())
    if len(chunks) != 1 or chunks[0].get_total_buffer_size() > 1.1 * chunks[0].nbytes + 4096:
        return None
    state = {**vars(value), "_pa_array": chunks[0]}
    if "_cache" in state:
        state["_cache"] = {}
    return copyreg.__newobj__, (type(value),), state  # type: ignore[attr-defined]
