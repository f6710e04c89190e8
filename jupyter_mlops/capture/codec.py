"""Values to bytes and back: one pickle of protocol 5 for all values of a step, so that aliases stay aliases.

Large buffers follow the pickle uncopied. Nothing of the notebook's own making (functions, classes and their instances)
is stored: a stored copy would carry its own globals, and so could turn stale.
"""

from __future__ import annotations

import importlib
import io
import pickle
import struct
import types
from typing import Any

from jupyter_mlops.capture import arrays

MAGIC = b"mlops-values-1\n"
ALIGNMENT = 64
"""Each part starts at a multiple of this many bytes, as arrays like it."""
_HEADER = struct.Struct("<Q")


class Unstorable(Exception):
    """A value that does not survive storing; the message names it."""


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, types.ModuleType):
            return importlib.import_module, (value.__name__,)
        if isinstance(value, (type, types.FunctionType)) and value.__module__ == "__main__":
            kind = "class" if isinstance(value, type) else "function"
            raise Unstorable(f"holds the {kind} '{value.__name__}' defined in the notebook")
        if arrays.is_array(value) and not value.dtype.hasobject:
            return arrays.compact(value).__reduce_ex__(5)
        return NotImplemented


def dump(values: dict[str, Any]) -> list[bytes | memoryview]:
    """The chunks of a dict of values. The buffers among them are the values' own memory: write them before it changes.

    Raises `Unstorable`.
    """
    stream = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    try:
        _Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(values)
        raws = [buffer.raw() for buffer in buffers]
    except Unstorable:
        raise
    except RecursionError:
        raise Unstorable("is nested too deeply") from None
    except Exception as error:
        raise Unstorable(f"{type(error).__name__}: {error}"[:200]) from error
    payload = stream.getvalue()
    sizes = [len(payload), *(raw.nbytes for raw in raws)]
    head = b"".join([MAGIC, _HEADER.pack(len(sizes)), *map(_HEADER.pack, sizes)])
    chunks: list[bytes | memoryview] = []
    parts: list[bytes | memoryview] = [head, payload, *raws]
    for part in parts:
        chunks += [part, bytes(-memoryview(part).nbytes % ALIGNMENT)]
    return chunks


def load(data: bytearray) -> dict[str, Any]:
    """The dict of values again. `data` must come from `Objects.get_signed`; the values' buffers are parts of it.

    Raises `ValueError` for another format, and what unpickling raises.
    """
    view = memoryview(data)
    if bytes(view[: len(MAGIC)]) != MAGIC:
        raise ValueError("these bytes are no stored values of this version")
    position = len(MAGIC)

    def number() -> int:
        nonlocal position
        (value,) = _HEADER.unpack_from(view, position)
        position += _HEADER.size
        return int(value)

    sizes = [number() for _ in range(number())]
    parts = []
    for size in sizes:
        position += -position % ALIGNMENT
        parts.append(view[position : position + size])
        position += size
    payload, *buffers = parts
    values = pickle.loads(payload, buffers=buffers)
    if not isinstance(values, dict):
        raise ValueError("these bytes hold no values of a step")
    return values
