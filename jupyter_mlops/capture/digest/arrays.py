"""How the walker tells numpy arrays, dtypes and scalars, and torch tensors. Neither library is imported for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from jupyter_mlops.capture.digest import layout
from jupyter_mlops.capture.digest.instances import beside, is_of_user
from jupyter_mlops.capture.digest.reduced import reduced, reduced_parts
from jupyter_mlops.capture.digest.walk import Handler, Undigestible, ValueWalk

if TYPE_CHECKING:
    from numpy import dtype as DType
    from numpy import memmap
    from numpy.typing import NDArray


def resolve(kind: type) -> Handler | None:
    """The handler of a type of numpy or torch, or derived from one; None for any other."""
    numpy = sys.modules.get("numpy")
    array = getattr(numpy, "ndarray", None)
    if array is not None and numpy is not None:
        if kind is array:
            return ndarray
        if issubclass(kind, array):
            return _subclass(kind, array, numpy)
        if issubclass(kind, numpy.dtype):
            return dtype
        if issubclass(kind, numpy.generic):
            return scalar
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    if isinstance(tensor, type) and issubclass(kind, tensor):
        return _tensor
    return None


def ndarray(walk: ValueWalk, value: NDArray[Any]) -> None:
    """A numpy array: dtype, shape, axis order, whether it may be written, elements."""
    walk.modules.add("numpy")
    if walk.first_time(value):
        walk.tag("ndarray", layout.layout(value), "w" if value.flags.writeable else "r")
        walk.memory(value)
        elements(walk, value)


def elements(walk: ValueWalk, value: NDArray[Any]) -> None:
    """Only the elements, in axis order; the layout is fed by the caller."""
    walk.check_time()
    if not value.dtype.hasobject:
        for part in layout.parts(value):
            walk.update(part)
        return
    with walk.outside():
        walk.sequence(b"objs", value.ravel("K").tolist())


def dtype(walk: ValueWalk, value: DType[Any]) -> None:
    """A numpy dtype."""
    walk.modules.add("numpy")
    walk.tag("dtype", layout.dtype_text(value))


def scalar(walk: ValueWalk, value: Any) -> None:
    """A numpy scalar; a record is a view of the array it was taken from."""
    walk.modules.add("numpy")
    numpy = sys.modules["numpy"]
    if issubclass(type(value), numpy.void) and value.dtype.names:
        if walk.first_time(value):
            walk.tag("record", layout.dtype_text(value.dtype))
            if value.dtype.hasobject:
                walk.value(value.tolist())
                return
            view = numpy.frombuffer(value, dtype=value.dtype)
            walk.memory(view)
            elements(walk, view)
        return
    if value.dtype.hasobject:
        reduced(walk, value)
        return
    walk.tag("scalar", type(value).__name__, layout.dtype_text(value.dtype))
    for part in layout.parts(numpy.asarray(value)):
        walk.update(part)


def _subclass(kind: type, array: type, numpy: object) -> Handler:
    masked = getattr(getattr(numpy, "ma", None), "MaskedArray", None)
    if masked is not None and kind is masked:
        return _masked
    mapped = getattr(numpy, "memmap", None)
    if kind is mapped:
        return _mapped
    if kind.__reduce__ is array.__reduce__ and kind.__reduce_ex__ is array.__reduce_ex__:
        return _derived
    return _derived_reduced


def _base(walk: ValueWalk, value: NDArray[Any]) -> None:
    plain = value.view(sys.modules["numpy"].ndarray)
    walk.value(type(value))
    walk.tag("ndarray", layout.layout(plain), "w" if plain.flags.writeable else "r")
    walk.memory(plain)
    elements(walk, plain)


def _derived(walk: ValueWalk, value: NDArray[Any]) -> None:
    """An instance of a subclass that is pickled as an array is; its attributes count though pickling drops them."""
    if walk.first_time(value):
        _base(walk, value)
        own = getattr(value, "__dict__", None)
        if own:
            walk.mapping(dict(own), attributes=True)


def _derived_reduced(walk: ValueWalk, value: NDArray[Any]) -> None:
    if not is_of_user(type(value)):
        walk.memory(value.view(sys.modules["numpy"].ndarray))
        reduced(walk, value)
    elif walk.first_time(value):  # what is pickled of it is what its class says
        _base(walk, value)
        beside(walk, value, reduced_parts(walk, value))


def _mapped(walk: ValueWalk, value: memmap[Any, Any]) -> None:
    if getattr(value, "mode", None) in ("r+", "w+"):
        raise Undigestible("", f"a file mapped for writing ({value.filename})")
    if walk.first_time(value):
        _base(walk, value)


def _masked(walk: ValueWalk, value: Any) -> None:
    """A masked array; no mask, and a mask that hides nothing, are the same, as they are to pickling."""
    if not walk.first_time(value):
        return
    numpy = sys.modules["numpy"]
    _base(walk, value)
    mask = numpy.ma.getmask(value)
    if mask is not numpy.ma.nomask:
        walk.memory(mask)
    if mask is numpy.ma.nomask or not numpy.ascontiguousarray(mask).view("?").any():
        walk.tag("no mask")
    else:
        walk.tag("mask", layout.layout(mask))
        elements(walk, mask)
    walk.tag("hard" if value.hardmask else "soft")
    filling = numpy.ma.default_fill_value(value) if value._fill_value is None else value._fill_value
    walk.value(numpy.asarray(filling, value.dtype).tolist())  # where none is set, pickling sets the default
    for own in (value._optinfo, value._basedict):
        walk.mapping({name: item for name, item in dict(own).items() if name[:1] != "_"}, attributes=True)


def _tensor(walk: ValueWalk, value: Any) -> None:
    """A torch tensor: type, device, shape, order of axes, whether gradients are wanted, elements, gradient."""
    torch = sys.modules["torch"]
    if getattr(value, "grad_fn", None) is not None:
        raise Undigestible("", "a tensor that is part of a gradient computation")
    if str(value.layout) != "torch.strided" or getattr(value, "is_quantized", False):
        reduced(walk, value)
        return
    if not walk.first_time(value):
        return
    strides = tuple(value.stride())
    order = sorted(range(len(strides)), key=lambda axis: (-strides[axis], axis))
    walk.value(type(value))
    walk.tag("tensor", str(value.dtype), str(value.device), repr((tuple(value.shape), order)), str(value.requires_grad))
    dense = value.detach().cpu()
    if str(value.device) == "cpu" and value.numel():
        last = sum((length - 1) * stride for length, stride in zip(value.shape, strides, strict=True)) + 1
        start = int(dense.data_ptr())
        extent = start, start + last * int(value.element_size())
        walk.extents.append(extent)
        walk.views.append((extent, None))
    walk.check_time()
    walk.blob(memoryview(dense.contiguous().reshape(-1).view(torch.uint8).numpy()))
    walk.value(getattr(value, "grad", None) if value.requires_grad else None)
    if getattr(value, "__dict__", None):
        walk.mapping(dict(value.__dict__), attributes=True)
