"""What the walker and the stores of values must know of numpy arrays and of pandas, without importing either.

A library that is not loaded made no value; so each function looks into `sys.modules` first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from numpy import dtype as DType
    from numpy.typing import NDArray


def _numpy() -> Any:
    return sys.modules.get("numpy")


def is_array(value: object) -> TypeGuard[NDArray[Any]]:
    """Whether `value` is a plain ndarray, of no subclass."""
    numpy = _numpy()
    return numpy is not None and type(value) is getattr(numpy, "ndarray", None)


def dtype_text(dtype: DType[Any]) -> str:
    """All of a dtype as text: names, offsets and titles of fields, byte order, unit, metadata."""
    if dtype.names:
        assert dtype.fields is not None
        fields = [(name, dtype.fields[name][1:], dtype_text(dtype.fields[name][0])) for name in dtype.names]
        text = f"{fields} {dtype.itemsize} {dtype.isalignedstruct} {dtype.type.__name__}"
    elif dtype.subdtype:
        text = f"{dtype_text(dtype.subdtype[0])} {dtype.subdtype[1]}"
    else:
        text = repr(dtype) if dtype.char == "T" else dtype.str
    return f"{text} {dict(dtype.metadata)}" if dtype.metadata else text


def layout(array: NDArray[Any]) -> str:
    """Type, shape and axis order of an array: what, with the bytes, decides all that computing with it gives.

    Gaps between elements do not count; which axis runs fastest does, since sums take elements in that order.
    """
    return f"{dtype_text(array.dtype)} {array.shape} {_axis_order(array)}"


def _axis_order(array: NDArray[Any]) -> tuple[int, ...]:
    if array.ndim == 1:
        return (0,) if array.shape[0] > 1 else ()
    axes = [axis for axis in range(array.ndim) if array.shape[axis] > 1]
    return tuple(sorted(axes, key=lambda axis: (-abs(array.strides[axis]), axis)))


def raw(array: NDArray[Any]) -> memoryview:
    """An array's bytes in its own axis order; copied only where they have gaps. Of any dtype without objects."""
    if array.size == 0:
        return memoryview(b"")
    if array.flags.c_contiguous:
        straight = array
    else:
        order = _axis_order(array)
        rest = [axis for axis in range(array.ndim) if axis not in order]
        straight = _numpy().ascontiguousarray(array.transpose([*rest, *order]))
    return straight.reshape(-1).view("u1").data


def parts(array: NDArray[Any]) -> Iterator[memoryview]:
    """The bytes that mean something, of any dtype without objects: what pads fields and long doubles is left out."""
    dtype = array.dtype
    if not _has_holes(dtype):
        yield raw(array)
    elif dtype.names:
        for name in dtype.names:
            yield from parts(array[name])
    else:
        width = dtype.itemsize // (2 if dtype.kind == "c" else 1)
        yield memoryview(_numpy().asarray(raw(array)).reshape(-1, width)[:, :10].tobytes())


def _has_holes(dtype: DType[Any]) -> bool:
    if dtype.names:
        assert dtype.fields is not None
        inner = [dtype.fields[name][0] for name in dtype.names]
        return sum(item.itemsize for item in inner) != dtype.itemsize or any(map(_has_holes, inner))
    return bool(dtype.base.char in "gG" and _numpy().finfo(dtype.base).nmant == 63)


def compact(array: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy without gaps in the same axis order and as writable, so that pickling keeps both."""
    if array.flags.c_contiguous or array.flags.f_contiguous:
        return array
    copy = array.copy(order="K")
    copy.flags.writeable = array.flags.writeable
    return copy


def extent(array: NDArray[Any]) -> tuple[int, int] | None:
    """First and last address of an array's memory; None for an empty one."""
    if array.size == 0:
        return None
    low = int(array.__array_interface__["data"][0])
    high = low + array.itemsize
    for length, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += stride * (length - 1)
        else:
            high += stride * (length - 1)
    return low, high


def owner(array: NDArray[Any]) -> Any:
    """The mutable object that lends an array its memory, such as a `bytearray` or a mapped file; None for none."""
    numpy = _numpy()
    base = array.base
    while isinstance(base, numpy.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    return None if base is None or isinstance(base, (bytes, str)) else base


def overlaps(one: object, other: object) -> bool:
    """Whether two arrays have an element's memory in common; where telling takes long they have."""
    numpy = _numpy()
    if one is None or other is None:
        return True
    try:
        return bool(numpy.shares_memory(one, other, max_work=10_000))
    except Exception as error:  # TooHardError has another home in each version of numpy
        if type(error).__name__ != "TooHardError":
            raise
        return True


def element_offset(one: NDArray[Any] | None, other: NDArray[Any] | None) -> int:
    """How many elements of `one` the memory of `other` begins after its own; gaps between elements do not count."""
    if one is None or other is None:
        return 0
    low, high = extent(one), extent(other)
    if low is None or high is None:
        return 0
    steps = [abs(stride) for length, stride in zip(one.shape, one.strides, strict=True) if length > 1 and stride]
    return int((high[0] - low[0]) // min(steps, default=one.itemsize))


def is_frame_part(kind: type) -> bool:
    """Whether instances are pandas' own."""
    return str(kind.__module__).partition(".")[0] == "pandas"


def frames_are_copies() -> bool:
    """Whether pandas shows two frames that share memory as if they did not (copy-on-write)."""
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return True
    if int(pandas.__version__.partition(".")[0]) >= 3:
        return True
    return pandas.get_option("mode.copy_on_write") is True
