"""The array memory of one component: which arrays share it, and how each lies in it.

Arrays that share memory are stored as one buffer and views of it, whoever owns it. Memory that pandas holds behind
copy-on-write is no one else's after loading, except for plain arrays that see it now too.
"""

from __future__ import annotations

import bisect
import ctypes
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_mlops.capture.digest import layout as digest_layout
from jupyter_mlops.capture.values import rebuild
from jupyter_mlops.capture.values.parts import INLINE, Part, cut

if TYPE_CHECKING:
    from numpy.typing import NDArray


INDEX = -1
"""The owner of all arrays of indexes, which no one changes."""
SHARED = -2
"""The owner of all memory that pandas will copy before it writes to it, since another frame refers to it."""
SMALL = -1
"""In place of a buffer's number: the array lies among the small ones."""
ALIGNMENT = 16

Row = tuple[int, int, Any, bool, bool]
"""Where an array lies: buffer, offset, strides (or "C", "F"), writeable, alone in its memory."""


class Entangled(Exception):
    """Memory is shared in a way that loading could not make again."""


class _ArrayRecord(NamedTuple):
    number: int
    array: NDArray[Any]
    low: int
    high: int
    owner: int | None


@dataclass
class _Cluster:
    low: int
    high: int
    records: list[_ArrayRecord]
    owner: int | None = None


@dataclass
class MemoryLayout:
    """`rows` of the arrays by number; `buffers`, each of one or more parts, with its address modulo the alignment."""

    rows: list[Row]
    buffers: list[Sequence[Part]] = field(default_factory=list)
    leads: list[int] = field(default_factory=list)
    small: bytearray = field(default_factory=bytearray)


class Memory:
    """Collects the arrays met while pickling a component, keeping them alive so that addresses stay true."""

    def __init__(self) -> None:
        self._records: list[_ArrayRecord] = []
        self._foreign: list[_ArrayRecord] = []
        self._owners: dict[int, int] = {}
        self._alive: list[Any] = []

    def owned(self, array: NDArray[Any], owner: int) -> Any:
        """A new view on `array`, which `reduce` will know as memory of `owner`."""
        view = array.view()
        self._alive.append(view)
        self._owners[id(view)] = owner
        return view

    def reduce(self, array: NDArray[Any]) -> Any:
        """How a plain array is pickled."""
        owner = self._owners.get(id(array))
        self._alive.append(array)
        if array.dtype.hasobject:
            root = _root(array) if owner is None else None
            if root is not None:
                return rebuild.objects_view, (root, *_position(array, root), bool(array.flags.writeable))
            self.foreign(array, owner)
            return self._objects(array)
        low, high = _extent(array)
        number = len(self._records)
        self._records.append(_ArrayRecord(number, array, low, high, owner))
        return rebuild.array, (number, array.dtype, array.shape)

    def _objects(self, array: NDArray[Any]) -> Any:
        if not array.flags.writeable:
            writable = digest_layout.compact(array).view()
            if not writable.flags.writeable:
                writable = array.copy(order="K")
            self._alive.append(writable)
            return rebuild.read_only, (writable,)
        tight = digest_layout.compact(array)
        text = _text(tight) if array.dtype.char == "O" and array.size else None
        if text is None:
            return tight.__reduce_ex__(5)
        numpy: Any = sys.modules["numpy"]
        letters = numpy.frombuffer(text[1], dtype="u1")
        order = "C" if tight.flags.c_contiguous else "F"
        return rebuild.texts, (text[0], letters, array.shape, order)

    def foreign(self, array: NDArray[Any], owner: int | None = None) -> None:
        """Note memory that is pickled some other way: sharing it cannot be kept."""
        self._alive.append(array)
        low, high = _extent(array)
        if low < high:
            self._foreign.append(_ArrayRecord(-1, array, low, high, owner))

    def layout(self) -> MemoryLayout:
        """All arrays laid out. Raises `Entangled`."""
        layout = MemoryLayout([(SMALL, 0, "C", True, True)] * len(self._records))
        plain = sorted((r for r in self._records if r.owner is None), key=lambda record: (record.low, -record.high))
        clusters: list[_Cluster] = []
        for record in plain:
            if clusters and record.low < clusters[-1].high and record.low < record.high:
                clusters[-1].records.append(record)
                clusters[-1].high = max(clusters[-1].high, record.high)
            else:
                clusters.append(_Cluster(record.low, record.high, [record]))
        for cluster in self._joined(clusters):
            _place(cluster, layout)
        self._check_foreign()
        return layout

    def _joined(self, clusters: list[_Cluster]) -> list[_Cluster]:
        """The clusters, with each array that pandas owns joined to the plain ones that see its memory."""
        lows = [cluster.low for cluster in clusters]
        alone = []
        gone: dict[int, _Cluster] = {}
        for record in self._records:
            if record.owner is None:
                continue
            seen = []
            position = bisect.bisect_left(lows, record.high) - 1
            while position >= 0 and clusters[position].high > record.low:
                target = clusters[position]
                while id(target) in gone:
                    target = gone[id(target)]
                if target not in seen:
                    seen.append(target)
                position -= 1
            if record.owner in (INDEX, SHARED):
                if any(other.array.flags.writeable for target in seen for other in target.records):
                    what = "an index" if record.owner == INDEX else "more than one frame"
                    raise Entangled(f"{what} shares its memory with an array that can be changed")
                seen = []
            if not seen or record.low == record.high:
                alone.append(_Cluster(record.low, record.high, [record]))
                continue
            first, *rest = seen
            if {target.owner for target in seen} - {None, record.owner}:
                raise Entangled("an array shares its memory with two frames or columns at once")
            first.owner = record.owner
            first.records.append(record)
            for other in rest:
                first.records += other.records
                gone[id(other)] = first
            first.low = min(first.low, record.low, *(other.low for other in rest))
            first.high = max(first.high, record.high, *(other.high for other in rest))
        return [cluster for cluster in clusters if id(cluster) not in gone] + alone

    def _check_foreign(self) -> None:
        if not self._foreign:
            return
        records = sorted([*self._records, *self._foreign], key=lambda record: record.low)
        reach: _ArrayRecord | None = None
        for record in records:
            if record.low == record.high:
                continue
            if (
                reach is not None
                and record.low < reach.high
                and -1 in (record.number, reach.number)
                and (record.owner is None or reach.owner is None)
                and not _seen_only(record, reach)
            ):
                raise Entangled("arrays of objects, or of a type of their own, share memory")
            if reach is None or record.high > reach.high:
                reach = record


def _seen_only(one: _ArrayRecord, other: _ArrayRecord) -> bool:
    """Whether one of them is never changed in place and the other cannot change it."""
    if one.owner in (INDEX, SHARED):
        return not other.array.flags.writeable
    return other.owner in (INDEX, SHARED) and not one.array.flags.writeable


def _extent(array: NDArray[Any]) -> tuple[int, int]:
    if array.size == 0:
        return 0, 0
    if array.flags.c_contiguous or array.flags.f_contiguous:
        low = array.__array_interface__["data"][0]
        return low, low + array.nbytes
    return digest_layout.extent(array) or (0, 0)


def _root(array: NDArray[Any]) -> Any:
    """The array whose objects a view shows; None where the array has its own, or they are not an array's."""
    root = array.base
    while root is not None and digest_layout.is_array(root) and root.base is not None:
        root = root.base
    if root is None or not digest_layout.is_array(root) or root.dtype != array.dtype or not array.size:
        return None
    return root if root.flags.c_contiguous or root.flags.f_contiguous else None


def _position(array: NDArray[Any], root: NDArray[Any]) -> tuple[int, Any, Any]:
    start = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return start // array.itemsize, array.shape, array.strides


def _text(array: NDArray[Any]) -> tuple[Any, bytes] | None:
    """An object array of nothing but `str` as lengths and letters; None where anything else is in it."""
    items = array.ravel("K").tolist()
    if {*map(type, items)} != {str}:
        return None
    numpy: Any = sys.modules["numpy"]
    return numpy.fromiter(map(len, items), "<i8", len(items)), "".join(items).encode("utf-8", "surrogatepass")


def _strides(array: NDArray[Any]) -> Any:
    if array.flags.c_contiguous:
        return "C"
    return "F" if array.flags.f_contiguous else array.strides


def _place(cluster: _Cluster, layout: MemoryLayout) -> None:
    """Give a cluster's memory a place in the layout, and each of its arrays its row."""
    first = cluster.records[0]
    alone = len(cluster.records) == 1
    low, high = cluster.low, cluster.high
    tight = {}
    if alone and high - low > first.array.nbytes:  # gaps between the elements, that no one else sees
        tight[first.number] = first.array.copy(order="K")
        low, high = _extent(tight[first.number])
    elif alone and high == low:
        layout.rows[first.number] = (SMALL, 0, _strides(first.array), bool(first.array.flags.writeable), True)
        return
    arrays = [tight.get(record.number, record.array) for record in cluster.records]
    size = high - low
    lead = 0 if alone else low % ALIGNMENT
    if size < INLINE:
        layout.small += bytes((lead - len(layout.small)) % ALIGNMENT)
        where, start = SMALL, len(layout.small)
        layout.small += ctypes.string_at(low, size)
    else:
        where, start = len(layout.buffers), 0
        view = memoryview((ctypes.c_ubyte * size).from_address(low)).cast("B")
        layout.buffers.append(cut(view, _column(first) if alone and not tight else 0, arrays))
        layout.leads.append(lead)
    for record, array in zip(cluster.records, arrays, strict=True):
        offset = start + array.__array_interface__["data"][0] - low
        writeable = bool(record.array.flags.writeable)
        layout.rows[record.number] = (where, offset, _strides(array), writeable, alone)


def _column(record: _ArrayRecord) -> int:
    """Bytes of one column where the array is a block of a frame that lies column by column; else 0."""
    array = record.array
    if record.owner is None or array.ndim != 2 or not array.flags.c_contiguous:
        return 0
    return int(array.shape[1] * array.itemsize)
