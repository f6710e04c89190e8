"""Packed values to the store: buffers first, each named by its content, then the signed object that names them.

The values object is a magic line, a line of JSON (what lies where), and what is too small to be an object of its own.
Killed in between, only objects are left that nothing names.
"""

from __future__ import annotations

import json
from typing import Any

import xxhash

from jupyter_mlops.capture.values.components import PackedComponent
from jupyter_mlops.capture.values.packing import Packed
from jupyter_mlops.capture.values.parts import INLINE, Part
from jupyter_mlops.errors import StoreError
from jupyter_mlops.store.objects.local import Objects, name_of

MAGIC = b"mlops-values-2\n"
SYNCED = 4 << 20
"""Smaller buffers are not waited for until they are on the disk: one that a power cut loses is noticed when it is read."""
_to_json = json.JSONEncoder(separators=(",", ":")).encode
"""Taken at import: a notebook may put something else in place of `json.dumps`."""


def write(objects: Objects, packed: Packed) -> str:
    """Keep packed values, once, and return the name of their object.

    Raises `StoreError`, early where they do not fit on the disk, and leaves no half file.
    """
    _require_room(objects, packed)
    inline: list[memoryview | bytes] = []
    written = _Written(objects, packed, inline)
    components = [written.component(component) for component in packed.components]
    head = {"version": 1, "nbytes": packed.nbytes, "components": components}
    name = objects.put(MAGIC, _to_json(head).encode(), b"\n", *inline, signed=True)
    for component in packed.components:
        for part in component.parts():
            packed.release(part)
    return name


def _require_room(objects: Objects, packed: Packed) -> None:
    large = [part for component in packed.components for part in component.parts() if part.nbytes >= INLINE]
    try:
        objects.require_room(sum(part.nbytes for part in large))
    except StoreError:  # then it is worth hashing all to see what is stored already
        missing = {name: part.nbytes for part in large if (name := name_of(packed.own(part))) not in objects}
        objects.require_room(sum(missing.values()))


class _Written:
    """Writes parts one by one, and notes where each is."""

    def __init__(self, objects: Objects, packed: Packed, inline: list[memoryview | bytes]) -> None:
        self._objects = objects
        self._packed = packed
        self._inline = inline
        self._position = 0

    def component(self, component: PackedComponent) -> dict[str, Any]:
        """The entry of a component."""
        return {
            "names": component.names,
            "nbytes": component.nbytes,
            "pickle": [self._part(segment) for segment in component.segments],
            "buffers": [[self._part(part) for part in buffer] for buffer in component.buffers],
            "leads": component.leads,
            "foreign": component.foreign,
            "small": self._part(component.small),
        }

    def _part(self, part: Part) -> list[Any]:
        """Size, then the object's name and the digest it is checked with; or only the position in the values object."""
        data = self._packed.own(part)
        if part.nbytes < INLINE:
            self._inline.append(data)
            self._position += part.nbytes
            return [part.nbytes, self._position - part.nbytes]
        name = name_of(data)
        digest = xxhash.xxh3_128_hexdigest(data)
        self._objects.put_buffer(data, name, sync=part.nbytes >= SYNCED)
        self._packed.release(part)
        return [part.nbytes, name, digest]
