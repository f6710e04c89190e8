"""What the walker and the codec must know of numpy, pandas and arrow, without importing any of them.

A library that is not loaded made no value; so each function looks into `sys.modules` first.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any


def _numpy() -> Any:
    return sys.modules.get("numpy")


def is_array(value: Any) -> bool:
    """Whether `value` is a plain ndarray (subclasses are walked as objects)."""
    numpy = _numpy()
    return numpy is not None and type(value) is getattr(numpy, "ndarray", None)


def is_dtype(value: Any) -> bool:
    """Whether `value` is a numpy dtype."""
    numpy = _numpy()
    return numpy is not None and isinstance(value, getattr(numpy, "dtype", ()))


def is_scalar(value: Any) -> bool:
    """Whether `value` is a numpy scalar that holds no object."""
    numpy = _numpy()
    return numpy is not None and isinstance(value, numpy.generic) and not value.dtype.hasobject


def atom_bytes(value: Any) -> Sequence[str | bytes]:
    """A dtype or numpy scalar as text and bytes."""
    if is_dtype(value):
        return (repr(value.descr) if value.names else value.str, repr(value.metadata))
    return (value.dtype.str, value.tobytes())


def layout(array: Any) -> str:
    """Type, shape and axis order of an array: what, with the bytes, decides all that computing with it gives.

    Gaps between elements do not count; which axis runs fastest does, since sums take elements in that order.
    """
    dtype = array.dtype
    return f"{repr(dtype.descr) if dtype.names else dtype.str} {array.shape} {_axis_order(array)}"


def _axis_order(array: Any) -> tuple[int, ...]:
    axes = [axis for axis in range(array.ndim) if array.shape[axis] > 1]
    return tuple(sorted(axes, key=lambda axis: (-abs(array.strides[axis]), axis)))


def raw(array: Any) -> memoryview:
    """An array's bytes in its own axis order; copied only where they have gaps. Of any dtype without objects."""
    order = _axis_order(array)
    rest = [axis for axis in range(array.ndim) if axis not in order]
    straight = _numpy().ascontiguousarray(array.transpose([*rest, *order]))
    return memoryview(straight.reshape(-1).view("u1") if straight.size else b"")


def compact(array: Any) -> Any:
    """The array, or a copy without gaps in the same axis order, so that pickling keeps the order."""
    if array.flags.c_contiguous or array.flags.f_contiguous:
        return array
    return array.copy(order="K")


def extent(array: Any) -> tuple[int, int] | None:
    """First and last address of an array's memory; None for an empty one."""
    if array.size == 0:
        return None
    low, high = _numpy().lib.array_utils.byte_bounds(array) if _has_array_utils() else _numpy().byte_bounds(array)
    return int(low), int(high)


def _has_array_utils() -> bool:
    return hasattr(_numpy().lib, "array_utils")


def text_bytes(array: Any) -> Sequence[Any] | None:
    """An object array of nothing but `str` as (lengths, text); None where anything else is in it."""
    items = array.ravel("K").tolist()
    if {*map(type, items)} != {str}:
        return None
    numpy = _numpy()
    lengths = numpy.fromiter(map(len, items), dtype="<i8", count=len(items))
    return lengths, "".join(items).encode("utf-8", "surrogatepass")


def is_arrow(value: Any) -> bool:
    """Whether `value` is an arrow array or chunked array."""
    arrow = sys.modules.get("pyarrow")
    return arrow is not None and isinstance(value, (getattr(arrow, "Array", ()), getattr(arrow, "ChunkedArray", ())))


def arrow_bytes(value: Any) -> Any:
    """The content of an arrow array, whatever its chunks and offsets are."""
    import pyarrow as arrow

    chunk = value.combine_chunks() if isinstance(value, arrow.ChunkedArray) else value
    chunks = chunk.chunks if isinstance(chunk, arrow.ChunkedArray) else [chunk]
    sink = arrow.BufferOutputStream()
    schema = arrow.schema([("value", value.type)])
    with arrow.ipc.new_stream(sink, schema) as stream:
        for part in chunks:
            stream.write_batch(arrow.record_batch([part], schema=schema))
    return sink.getvalue()


def is_frame_part(kind: type) -> bool:
    """Whether instances are pandas' own: their inner arrays and indexes are shared freely and never seen changing."""
    return kind.__module__.partition(".")[0] == "pandas"


def is_index(kind: type) -> bool:
    """Whether instances are pandas indexes: no one changes them in place, so sharing them means nothing."""
    return is_frame_part(kind) and "Index" in kind.__name__


def frames_are_copies() -> bool:
    """Whether pandas shows two frames that share memory as if they did not (copy-on-write)."""
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return True
    if int(pandas.__version__.partition(".")[0]) >= 3:
        return True
    return pandas.get_option("mode.copy_on_write") is True
