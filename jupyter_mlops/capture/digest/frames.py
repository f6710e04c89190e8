"""How the walker tells pandas frames, series, indexes and their arrays, column by column.

How columns are gathered into blocks does not count, since reading a frame may gather them; whether rows or columns
run fastest in memory does. No values are copied but where they have gaps.
"""

from __future__ import annotations

import sys
from typing import Any

from jupyter_mlops.capture.digest import arrays as digest_arrays
from jupyter_mlops.capture.digest import arrow, layout
from jupyter_mlops.capture.digest.instances import beside, is_of_user
from jupyter_mlops.capture.digest.reduced import immutable, reduced, reduced_parts
from jupyter_mlops.capture.digest.walk import Handler, Undigestible, ValueWalk, no_step

_INTERNAL = frozenset({"_mgr", "_item_cache", "_attrs", "_flags", "_is_copy", "_cacher", "_name", "_typ", "_metadata"})
"""What pandas itself keeps in a frame."""
_DERIVED = frozenset({"design_info", "model_spec"})
"""Attributes in which patsy and formulaic note how they made a frame: never pickled, and made anew from the formula."""


def resolve(kind: type) -> Handler | None:
    """The handler of a type of pandas, or derived from one; None for any other."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not hasattr(pandas, "DataFrame"):
        return None
    frame, series = pandas.DataFrame, pandas.Series
    if issubclass(kind, (frame, series)):
        base = frame if issubclass(kind, frame) else series
        own = any(getattr(kind, name) is not getattr(base, name) for name in ("__reduce__", "__getstate__"))
        return _foreign_frame if own else (_frame if base is frame else _series)
    if issubclass(kind, pandas.Index):
        return index
    if issubclass(kind, pandas.api.extensions.ExtensionArray):
        return _array
    if issubclass(kind, pandas.api.extensions.ExtensionDtype):
        return dtype
    if layout.is_frame_part(kind) and issubclass(
        kind,
        (pandas.Timestamp, pandas.Timedelta, pandas.Period, pandas.Interval, type(pandas.NaT), type(pandas.NA)),
    ):
        return _scalar
    if str(kind.__module__).startswith("pandas._libs.tslibs.offsets"):
        return immutable
    return None


def _scalar(walk: ValueWalk, value: Any) -> None:
    name = type(value).__name__
    if name == "Timestamp" or name == "Timedelta":
        walk.tag(name, str(value._value), value.unit, str(getattr(value, "fold", "")))
        if name == "Timestamp" and value.tzinfo is not None:
            walk.value(value.tzinfo)
    elif name == "Period":
        walk.tag(name, str(value.ordinal), value.freqstr)
    elif name == "Interval":
        walk.tag(name, value.closed)
        walk.value(value.left)
        walk.value(value.right)
    else:
        walk.tag(name)


def _about(walk: ValueWalk, value: Any) -> None:
    """What a frame has beside axes and columns; of attributes also those that pandas does not pickle."""
    walk.value(type(value))
    # `.str`, `.dt`: before pandas 3 they are kept in the value when they are used.
    left_out = _DERIVED.union(getattr(type(value), "_accessors", ()))
    if is_of_user(type(value)):
        left_out = left_out | _INTERNAL
        own = {name: item for name, item in vars(value).items() if name not in left_out}
    else:
        own = {name: item for name, item in vars(value).items() if name[:1] != "_" and name not in left_out}
    own |= {name: getattr(value, name, None) for name in type(value)._metadata}
    flags = value._flags.allows_duplicate_labels
    if own or value._attrs or not flags:
        walk.value(flags)
        walk.mapping(own, attributes=True)
        walk.mapping(value._attrs, attributes=True)


def _foreign_frame(walk: ValueWalk, value: object) -> None:
    """A frame of a class that is pickled in a way of its own."""
    if walk.first_time(value):
        with walk.within(copies=layout.frames_are_copies()):
            parts = reduced_parts(walk, value)
        if is_of_user(type(value)):
            pandas = sys.modules["pandas"]
            base = pandas.DataFrame if isinstance(value, pandas.DataFrame) else pandas.Series
            walk.value(base(value))
            beside(walk, value, parts)


def _series(walk: ValueWalk, value: Any) -> None:
    if not walk.first_time(value):
        return
    _about(walk, value)
    index(walk, value.index)
    held = value._mgr.blocks[0].values
    with walk.within(copies=layout.frames_are_copies()):
        _content(walk, held)


def _content(walk: ValueWalk, held: Any) -> None:
    if layout.is_array(held):
        walk.tag("column", layout.dtype_text(held.dtype), str(held.shape))
        walk.memory(held)
        digest_arrays.elements(walk, held)
    else:
        _extension(walk, held)


def _frame(walk: ValueWalk, value: Any) -> None:
    if not walk.first_time(value):
        return
    _about(walk, value)
    index(walk, value.columns)
    index(walk, value.index)
    with walk.within(copies=layout.frames_are_copies()):
        _columns(walk, value)


def _columns(walk: ValueWalk, value: Any) -> None:
    """All columns by position: first each one's type, then all plain ones as one stream, then the others."""
    places: list[tuple[Any, int]] = [(None, 0)] * value.shape[1]
    wide = []
    for block in value._mgr.blocks:
        held = block.values
        plain = layout.is_array(held)
        if plain:
            walk.memory(held)
            if _is_wide(held):
                wide.append((block.mgr_locs.as_array, held))
        for number, place in enumerate(block.mgr_locs.as_array.tolist()):
            places[place] = (held if plain or held.ndim == 1 else held[number], number)
    texts: dict[int, str] = {}
    for held, _ in places:
        if id(held) not in texts:
            texts[id(held)] = _column_text(held)
    walk.tag("columns", *[texts[id(held)] for held, _ in places])
    _plain_columns(walk, places)
    for where, held in wide:
        walk.tag("wide", str(held.shape), str(where.tolist()))
        digest_arrays.elements(walk, held)
    for place, (held, number) in enumerate(places):
        try:
            if not layout.is_array(held):
                _extension(walk, held)
            elif held.dtype.hasobject and not _is_wide(held):
                digest_arrays.elements(walk, held[number])
        except Undigestible as error:
            raise error.inside(f"[{value.columns[place]!r}]") from error.__cause__


def _is_wide(held: Any) -> bool:
    """Whether rows run slower than columns in a block's memory, as in a frame made of a two-dimensional array."""
    rows_stride, columns_stride = abs(held.strides[1]), abs(held.strides[0])
    return bool(held.shape[0] > 1 and held.shape[1] > 1 and columns_stride < rows_stride)


def _column_text(held: Any) -> str:
    if not layout.is_array(held):
        return "extension"
    return f"{'wide ' if _is_wide(held) else ''}{layout.dtype_text(held.dtype)}"


def _plain_columns(walk: ValueWalk, places: list[tuple[Any, int]]) -> None:
    """Columns that lie side by side in memory are one piece, which feeds the same as one after the other."""
    start = 0
    while start < len(places):
        held, number = places[start]
        stop = start + 1
        if not layout.is_array(held) or held.dtype.hasobject or _is_wide(held):
            start = stop
            continue
        if held.flags.c_contiguous:
            while stop < len(places) and places[stop][0] is held and places[stop][1] == number + stop - start:
                stop += 1
        digest_arrays.elements(walk, held[number : number + stop - start])
        start = stop


def index(walk: ValueWalk, value: object) -> None:
    """An index. No one changes one in place, so it has no identity, and each is read once a walk."""
    known = walk.indexes.get(id(value))
    if known is None:
        walk.alive.append(value)
        known = walk.indexes[id(value)] = walk.apart(_index, value)
    walk.update(b"\0indx" + known)


def _index(walk: ValueWalk, value: Any) -> None:
    kind = type(value).__name__
    walk.tag(kind)
    walk.sequence(b"name", list(value.names), no_step)
    if kind == "RangeIndex":
        walk.sequence(b"rang", (value.start, value.stop, value.step))
        return
    with walk.within(copies=True):
        if kind == "MultiIndex":
            walk.value(value.sortorder)
            for level, codes in zip(value.levels, value.codes, strict=True):
                _index(walk, level)
                held = codes.view(sys.modules["numpy"].ndarray)
                _content(walk, held)
            return
        freq = getattr(value, "freq", None)
        walk.value(None if freq is None else freq.freqstr)
        walk.value(freq)
        _content(walk, value._data)


def _array(walk: ValueWalk, value: object) -> None:
    """One of pandas' arrays that stands alone: it is written in place, as a numpy array is."""
    if walk.first_time(value):
        freq = getattr(value, "_freq", None)  # before pandas 3; in a series or index it is not the array's
        walk.value(None if freq is None else freq.freqstr)
        _extension(walk, value)


def _extension(walk: ValueWalk, value: Any) -> None:
    """The type and elements of one of pandas' arrays. What stands where a value is missing does not count."""
    own = vars(value) if hasattr(value, "__dict__") else {}
    if not layout.is_frame_part(type(value)):
        if walk.first_time(value):
            immutable(walk, value)
        return
    walk.own_memory(value)
    walk.tag("extension", type(value).__name__)
    walk.value(value.dtype)
    if "_pa_array" in own:
        arrow.array(walk, value._pa_array)
    elif "_mask" in own:
        walk.memory(value._data)
        data = value._data
        if value._mask.any():
            data = data.copy()
            data[value._mask] = 0
        for part in (data, value._mask):
            walk.tag(layout.layout(part))
            digest_arrays.elements(walk, part)
    elif "_sparse_values" in own:
        held = value._sparse_index.to_int_index().indices
        walk.tag("sparse", str(len(value)), type(value._sparse_index).__name__)
        for part in (held, value._sparse_values):
            walk.tag(layout.layout(part))
            walk.memory(part)
            digest_arrays.elements(walk, part)
    elif "_left" in own:
        for side in (value._left, value._right):
            _content(walk, side)
    elif hasattr(value, "_ndarray"):
        _content(walk, value._ndarray)
    else:
        immutable(walk, value)


def dtype(walk: ValueWalk, value: Any) -> None:
    """One of pandas' dtypes."""
    kind = type(value).__name__
    walk.tag("pandas dtype", kind)
    if not layout.is_frame_part(type(value)):
        reduced(walk, value)
    elif kind == "CategoricalDtype":
        walk.value(value.ordered)
        if value.categories is None:
            walk.value(None)
        else:
            index(walk, value.categories)
    elif kind == "SparseDtype":
        walk.value(value.subtype)
        walk.value(value.fill_value)
    elif kind == "DatetimeTZDtype":
        walk.tag(value.unit)
        walk.value(value.tz)
    elif kind == "StringDtype":
        walk.tag(value.storage, repr(getattr(value, "na_value", None)))
    elif kind == "ArrowDtype":
        walk.value(value.pyarrow_dtype)
    else:
        walk.tag(str(value))
