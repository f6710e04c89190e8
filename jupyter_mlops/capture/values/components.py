"""One component to pieces: its pickle, and the memory that the pickle only points at."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mlops.analysis.code.inert import PLAIN
from jupyter_mlops.capture.values.parts import Part
from jupyter_mlops.secrets.known import KNOWN

SEGMENT = 1 << 20
"""Bytes of a pickle from which on one `bytes` or `str` in it is an object of its own."""

SMALL = 1 << 10
_LONG = (str, bytes)
_NO_ROWS = pickle.dumps([], 5)
"""The layout of what has no memory of its own."""

TOO_DEEP = "it is nested too deeply"


@dataclass(frozen=True)
class PackedComponent:
    """One component in pieces: its pickle, its buffers (each of one or more parts), its small arrays.

    `leads` are the buffers' addresses modulo the alignment; from buffer `foreign` on they are out-of-band ones.
    """

    names: tuple[str, ...]
    segments: list[Part]
    buffers: list[Sequence[Part]]
    leads: list[int]
    foreign: int
    small: Part

    def parts(self) -> Iterator[Part]:
        """All pieces there are."""
        yield from self.segments
        for buffer in self.buffers:
            yield from buffer
        yield self.small

    def holds_secret(self) -> bool:
        """Whether one of the pieces holds a secret that this process has looked up."""
        patterns = KNOWN.patterns
        return patterns is not None and any(patterns.holds_bytes(part.peek()) for part in self.parts())

    @property
    def nbytes(self) -> int:
        """Bytes of all pieces."""
        return sum(part.nbytes for part in self.parts())


def pack_one(component: Mapping[str, Any], namespace: dict[str, Any]) -> PackedComponent:
    """One component in pieces. Raises what pickling raises."""
    if all(map(_is_small, component.values())):
        return PackedComponent(
            tuple(component), [Part(_NO_ROWS + pickle.dumps(dict(component), 5))], [], [], 0, Part(b"")
        )
    from jupyter_mlops.capture.values import pickling

    try:
        pickler = pickling.Pickler(namespace)
        pickler.dump(dict(component))
    except pickling.NamespaceMet:
        pickler = pickling.NamespacePickler(namespace)
        pickler.dump(dict(component))
    pickling.refuse_names_of_main(pickler.chunks)
    layout = pickler.memory.layout()
    segments = _segments([pickle.dumps(layout.rows, 5), *pickler.chunks])
    buffers = [*layout.buffers, *([part] for part in pickler.buffers)]
    leads = [*layout.leads, *(0 for _ in pickler.buffers)]
    small = Part(bytes(layout.small))
    return PackedComponent(tuple(component), segments, buffers, leads, len(layout.buffers), small)


def _is_small(value: Any) -> bool:
    """Whether any pickler makes the same few bytes of a value."""
    kind = type(value)
    return kind in PLAIN and (kind not in _LONG or len(value) < SMALL)


def _segments(chunks: list[bytes]) -> list[Part]:
    """The chunks of a pickle, small ones joined; a large one, such as the content of one `bytes`, stays uncopied."""
    segments: list[Part] = []
    joined: list[bytes] = []
    for chunk in [*chunks, b""]:
        if len(chunk) < SEGMENT and chunk:
            joined.append(chunk)
            continue
        if joined:
            segments.append(Part(b"".join(joined)))
            joined = []
        if chunk:
            segments.append(Part(chunk))
    return segments


def told(error: BaseException) -> str:
    """What an error of pickling says, in a line."""
    from jupyter_mlops.capture.values.memory import Entangled
    from jupyter_mlops.capture.values.pickling import Unstorable

    if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
        return TOO_DEEP
    if isinstance(error, (Unstorable, Entangled)):
        return str(error)
    message = str(error).partition("\n")[0][:200]
    if isinstance(error, (TypeError, pickle.PicklingError)) and message:
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
