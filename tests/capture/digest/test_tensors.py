"""Digests of torch tensors and polars frames, by small stand-ins with the same attributes: neither is a requirement."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jupyter_mlops.capture.digest.content import Fingerprint, Undigestible, Walker


class Tensor:
    """As much of a torch tensor as is asked for."""

    __slots__ = ("_array", "grad", "grad_fn", "requires_grad")
    layout = "torch.strided"
    is_quantized = False
    device = "cpu"

    def __init__(self, array: Any, *, requires_grad: bool = False, grad: Any = None, grad_fn: Any = None) -> None:
        self._array = array
        self.requires_grad = requires_grad
        self.grad = grad
        self.grad_fn = grad_fn

    @property
    def dtype(self) -> Any:
        return f"torch.{self._array.dtype}"

    @property
    def shape(self) -> Any:
        return self._array.shape

    def stride(self) -> Any:
        return tuple(step // self._array.itemsize for step in self._array.strides)

    def numel(self) -> int:
        return int(self._array.size)

    def element_size(self) -> int:
        return int(self._array.itemsize)

    def data_ptr(self) -> int:
        return int(self._array.ctypes.data)

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def contiguous(self) -> Tensor:
        return Tensor(np.ascontiguousarray(self._array))

    def reshape(self, shape: int) -> Tensor:
        return Tensor(self._array.reshape(shape))

    def view(self, dtype: Any) -> Tensor:
        return Tensor(self._array.view(dtype))

    def numpy(self) -> Any:
        return self._array


@pytest.fixture(autouse=True)
def _torch(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("torch")
    module.Tensor = Tensor  # type: ignore[attr-defined]
    module.uint8 = "u1"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", module)


def fingerprint(value: Any) -> Fingerprint:
    return Walker({}).fingerprint("value", value)


def test_a_tensor_is_its_elements_type_shape_axis_order_and_gradient() -> None:
    array = np.arange(6.0).reshape(2, 3)
    same = [Tensor(array), Tensor(array.copy()), Tensor(np.repeat(array, 2, axis=0)[::2])]
    assert len({fingerprint(item).digest for item in same}) == 1
    others = [
        *same[:1],
        Tensor(array + 1),
        Tensor(array.astype("f4")),
        Tensor(array.reshape(3, 2)),
        Tensor(np.asfortranarray(array)),
        Tensor(array, requires_grad=True),
        Tensor(array, requires_grad=True, grad=Tensor(array)),
    ]
    assert len({fingerprint(item).digest for item in others}) == len(others)


def test_a_tensor_shares_the_memory_of_the_array_it_was_made_from() -> None:
    array = np.zeros(4)
    assert fingerprint(Tensor(array)).shares_with(fingerprint(array[1:]))
    assert not fingerprint(Tensor(array)).shares_with(fingerprint(array.copy()))


def test_a_tensor_in_the_middle_of_a_computation_is_undigestible_with_its_path() -> None:
    with pytest.raises(Undigestible, match="gradient computation") as caught:
        fingerprint({"loss": Tensor(np.zeros(1), grad_fn=object())})
    assert caught.value.path == "value['loss']"


class Series:
    """As much of a polars series as is asked for."""

    def __init__(self, name: str, values: list[Any], dtype: str) -> None:
        self.name, self.values, self.dtype = name, values, dtype

    def to_arrow(self) -> Any:
        return pa.array(self.values)


class DataFrame:
    """As much of a polars frame as is asked for."""

    def __init__(self, *columns: Series) -> None:
        self.held = columns
        self.columns = [column.name for column in columns]
        self.height = len(columns[0].values)

    def get_columns(self) -> tuple[Series, ...]:
        return self.held


class LazyFrame:
    """Stands for a query that is yet to be run."""


def test_polars_frames_are_told_by_their_columns_and_lazy_ones_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("polars")
    for kind in (Series, DataFrame, LazyFrame):
        monkeypatch.setattr(kind, "__module__", "polars.made")
        setattr(module, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "polars", module)
    frames = [
        DataFrame(Series("a", [1, 2], "Int64")),
        DataFrame(Series("b", [1, 2], "Int64")),
        DataFrame(Series("a", [1, 3], "Int64")),
        DataFrame(Series("a", [1, 2], "Int32")),
        DataFrame(Series("a", [1, 2], "Int64"), Series("b", ["x", None], "String")),
    ]
    assert len({fingerprint(item).digest for item in [*frames, frames[0].held[0]]}) == 6
    assert fingerprint(frames[0]).digest == fingerprint(DataFrame(Series("a", [1, 2], "Int64"))).digest
    with pytest.raises(Undigestible, match="LazyFrame of polars"):
        fingerprint(LazyFrame())
