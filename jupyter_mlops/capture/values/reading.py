"""Stored values back into a namespace: only the components asked for, their buffers mapped rather than read."""

from __future__ import annotations

import importlib
import io
import pickle
from collections.abc import Iterable, Iterator
from typing import Any

import xxhash

from jupyter_mlops.capture.values import rebuild
from jupyter_mlops.capture.values.memory import SMALL, Row
from jupyter_mlops.capture.values.writing import MAGIC
from jupyter_mlops.domain.json_text import loads
from jupyter_mlops.errors import DamagedObjectError
from jupyter_mlops.store.objects.local import MAPPED, Objects

Place = list[Any]
_HINT = "Nothing to do: the step that made it will run again."


class Values:
    """The values of one step in the store. Opening reads only the values object; `load` the rest."""

    def __init__(self, objects: Objects, head: dict[str, Any], inline: memoryview, namespace: dict[str, Any]) -> None:
        self._objects = objects
        self._components: list[dict[str, Any]] = head["components"]
        self._inline = inline
        self._namespace = namespace
        self.nbytes: int = head["nbytes"]
        self.names: set[str] = {name for component in self._components for name in component["names"]}

    @classmethod
    def open(cls, objects: Objects, name: str, namespace: dict[str, Any]) -> Values:
        """The values stored as `name`, whose functions will look up their globals in `namespace`.

        Raises `DamagedObjectError`, also for bytes that are unsigned or of another format.
        """
        data = objects.get_signed(name)
        head, position = _head(data, name)
        return cls(objects, head, memoryview(data)[position:], namespace)

    def load(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of all components that any of `names` is in, made anew at each call.

        Raises `DamagedObjectError` (the damaged object is set aside), `KeyError` for an unknown name, and what
        unpickling raises.
        """
        wanted = set(names)
        if unknown := wanted - self.names:
            raise KeyError(*sorted(unknown))
        values: dict[str, Any] = {}
        for component in self._components:
            if wanted.intersection(component["names"]):
                values.update(Loader(self._objects, component, self._inline, self._namespace).load())
        return values

    def pickled(self, name: str) -> tuple[list[str], bytes]:
        """The names of the component that `name` is in, and what of it is pickled, as it stands in the store."""
        component = next(each for each in self._components if name in each["names"])
        loader = Loader(self._objects, component, self._inline, self._namespace)
        return component["names"], loader.stream().read()


def references(objects: Objects, name: str) -> list[str]:
    """The objects that a values object needs, whoever signed it; none for an object that holds no values.

    Raises `DamagedObjectError`.
    """
    data = objects.get(name)
    if not data.startswith(MAGIC):
        return []
    head, _ = _head(data, name)
    names: dict[str, None] = {}
    for component in head["components"]:
        places = [
            *component["pickle"],
            component["small"],
            *(part for buffer in component["buffers"] for part in buffer),
        ]
        names.update((place[1], None) for place in places if isinstance(place[1], str))
    return list(names)


def _head(data: bytearray, name: str) -> tuple[dict[str, Any], int]:
    end = data.find(b"\n", len(MAGIC))
    head = loads(data[len(MAGIC) : end]) if data.startswith(MAGIC) and end > 0 else {}
    if head.get("version") != 1:
        raise DamagedObjectError(
            f"Object {name[:12]} does not contain values in a format that this version can read.", _HINT
        )
    return head, end + 1


class Loader:
    """Loads one component, once."""

    def __init__(
        self, objects: Objects, component: dict[str, Any], inline: memoryview, namespace: dict[str, Any]
    ) -> None:
        self._objects = objects
        self._component = component
        self._inline = inline
        self.namespace = namespace
        self._rows: list[Row] = []
        self._buffers: dict[int, memoryview] = {}
        self._small = bytearray()

    def load(self) -> dict[str, Any]:
        """The names of the component and their values."""
        stream = self.stream()
        self._small = bytearray(self._read(self._component["small"]))
        self._rows = pickle.load(stream)
        foreign = range(self._component["foreign"], len(self._component["buffers"]))
        values = _Unpickler(stream, self, (self._buffer(number) for number in foreign)).load()
        if not isinstance(values, dict):
            raise pickle.UnpicklingError("not the values of a step")
        return values

    def stream(self) -> io.BufferedReader:
        """The pickles of the component: the layout of its memory, then its values."""
        return io.BufferedReader(_Segments([self._trusted(place) for place in self._component["pickle"]]))

    def array(self, number: int, dtype: object, shape: tuple[int, ...]) -> Any:
        """The array `number`, in memory of its own where it was alone in it and is not so large as to be mapped."""
        numpy: Any = importlib.import_module("numpy")
        where, offset, strides, writeable, alone = self._rows[number]
        if alone and isinstance(strides, str) and (where == SMALL or self._size(where) < MAPPED):
            made = numpy.empty(shape, dtype, order=strides)
            if made.size:
                target = made.reshape(-1, order="A").view("u1")
                if where == SMALL:
                    target[:] = numpy.frombuffer(self._small, "u1", target.size, offset)
                else:
                    self._fill(self._component["buffers"][where], memoryview(target))
        else:
            memory = self._small if where == SMALL else self._buffer(where)
            if isinstance(strides, str):
                count = int(numpy.prod(shape, dtype=object))
                flat = numpy.ndarray((count,), dtype, memory, offset)
                made = flat.reshape(shape, order=strides)
            else:
                made = numpy.ndarray(shape, dtype, memory, offset, strides)
        if not writeable:
            made.flags.writeable = False
        return made

    def _size(self, number: int) -> int:
        return sum(place[0] for place in self._component["buffers"][number])

    def _buffer(self, number: int) -> memoryview:
        """The memory of a buffer, private and writable: mapped where it is one large object."""
        if number in self._buffers:
            return self._buffers[number]
        places, lead = self._component["buffers"][number], self._component["leads"][number]
        if len(places) == 1 and lead == 0 and isinstance(places[0][1], str):
            memory = self._objects.map(places[0][1])
            self._prove(places[0], memory)
        else:
            memory = _memory(self._size(number) + lead)[lead:]
            self._fill(places, memory)
        self._buffers[number] = memory
        return memory

    def _fill(self, places: list[Place], target: memoryview) -> None:
        position = 0
        for place in places:
            piece = target[position : position + place[0]]
            position += place[0]
            if not isinstance(place[1], str):
                piece[:] = self._read(place)
            elif self._objects.read_into(place[1], piece):
                self._prove(place, piece)
            else:
                self._damaged(place)

    def _read(self, place: Place) -> memoryview:
        if isinstance(place[1], str):
            memory = self._objects.map(place[1])
            self._prove(place, memory)
            return memory
        return self._inline[place[1] : place[1] + place[0]]

    def _trusted(self, place: Place) -> memoryview:
        """A stretch of a pickle, proven by SHA-256: this is executed, so a check against accidents is not enough."""
        return memoryview(self._objects.get(place[1])) if isinstance(place[1], str) else self._read(place)

    def _prove(self, place: Place, memory: memoryview) -> None:
        if memory.nbytes != place[0] or xxhash.xxh3_128_hexdigest(memory) != place[2]:
            memory.release()  # a mapped file cannot be moved on Windows
            self._damaged(place)

    def _damaged(self, place: Place) -> None:
        aside = self._objects.set_aside(place[1])
        raise DamagedObjectError(
            f"Object {place[1][:12]} is damaged: its content does not match its name. It was moved to '{aside}'.", _HINT
        )


def _memory(nbytes: int) -> memoryview:
    numpy: Any = importlib.import_module("numpy")
    return memoryview(numpy.empty(nbytes, "u1"))


class _Segments(io.RawIOBase):
    """Stretches of a pickle as one file, read without joining them."""

    def __init__(self, segments: list[memoryview]) -> None:
        self._segments = segments

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while self._segments and not self._segments[0].nbytes:
            del self._segments[0]
        if not self._segments:
            return 0
        first = self._segments[0]
        size = min(len(target), first.nbytes)
        memoryview(target).cast("B")[:size] = first[:size]
        self._segments[0] = first[size:]
        return size


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, loader: Loader, buffers: Iterator[memoryview]) -> None:
        super().__init__(file, buffers=buffers)
        self._loader = loader

    def find_class(self, module: str, name: str) -> Any:
        if module == rebuild.MODULE:
            if name == "array":
                return self._loader.array
            if name == "namespace":
                return lambda: self._loader.namespace
        if module == "__main__":
            raise pickle.UnpicklingError(f"'{name}' of the notebook is stored only by its name")
        return super().find_class(module, name)

    def persistent_load(self, name: object) -> Any:
        if name != "namespace":
            raise pickle.UnpicklingError(f"unknown reference {name!r}")
        return self._loader.namespace
